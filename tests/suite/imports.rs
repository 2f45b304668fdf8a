//! The import graph between the files of each module.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Which files of one folder import which others of it. A folder counts as one file of the folder
/// above. `mod.rs` is left out: it declares the others, and they name its types.
#[derive(Default)]
pub(crate) struct Imports(BTreeMap<String, Files>);

impl Imports {
    /// The imports between these files.
    pub(crate) fn of(sources: &[Source]) -> Self {
        let modules = Modules::of(sources);
        let mut imports = Self::default();
        for source in sources {
            for path in &source.paths {
                if let Some(target) = modules.resolve(&source.module, path) {
                    imports.add(&source.module, &target);
                }
            }
        }
        imports
    }

    /// Adds an import at the folder where the two modules part.
    fn add(&mut self, from: &[String], to: &[String]) {
        let same = from.iter().zip(to).take_while(|(one, other)| one == other);
        let depth = same.count();
        if let (Some(one), Some(other)) = (from.get(depth), to.get(depth)) {
            let folder = self.0.entry(from[..depth].join("/")).or_default();
            folder.entry(one.clone()).or_default().insert(other.clone());
        }
    }

    /// Whether a file of this folder imports another one of it.
    pub(crate) fn has(&self, folder: &str, from: &str, to: &str) -> bool {
        let targets = self.0.get(folder).and_then(|folder| folder.get(from));
        targets.is_some_and(|targets| targets.contains(to))
    }

    /// The files that import each other in a circle: each folder with all files of one circle, or
    /// of several that share files.
    pub(crate) fn circles(&self) -> Vec<(&str, Vec<&str>)> {
        let folders = self.0.iter();
        let circles = folders.flat_map(|(folder, files)| {
            let circles = circles_among(files).into_iter();
            circles.map(|circle| (folder.as_str(), circle))
        });
        circles.collect()
    }
}

type Files = BTreeMap<String, BTreeSet<String>>;

fn circles_among(files: &Files) -> Vec<Vec<&str>> {
    let mut circles = Vec::new();
    let mut rest: Vec<&str> = files.keys().map(String::as_str).collect();
    while let Some(file) = rest.first().copied() {
        let ahead = reach(files, file);
        let is_same =
            |it: &&str| *it == file || ahead.contains(it) && reach(files, it).contains(file);
        let (circle, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_same);
        if circle.len() > 1 {
            circles.push(circle);
        }
        rest = others;
    }
    circles
}

/// All files that a file imports, directly or through others.
fn reach<'a>(files: &'a Files, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for next in files.get(file).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

/// The modules of the crate, and the names that each has from its own parts.
struct Modules<'a>(BTreeMap<&'a [String], &'a Source>);

impl<'a> Modules<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let by_module = sources.iter();
        Self(by_module.map(|it| (it.module.as_slice(), it)).collect())
    }

    /// The module that a path in `from` names something of; `None` outside the crate.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let absolute = self.absolute(from, path)?;
        let is_module = |len: &usize| self.0.contains_key(&absolute[..*len]);
        let len = (1..=absolute.len()).rev().find(is_module)?;
        let (module, name) = (&absolute[..len], absolute.get(len));
        let through = name.and_then(|name| self.re_export(module, name));
        Some(through.unwrap_or_else(|| module.to_vec()))
    }

    /// The path from the crate on.
    fn absolute(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let base = match first.as_str() {
            "crate" => &[],
            "self" => from,
            "super" => return absolute_above(from, rest),
            child => {
                let module = [from, &[child.to_owned()]].concat();
                return self
                    .0
                    .contains_key(module.as_slice())
                    .then(|| [from, path].concat());
            }
        };
        Some([base, rest].concat())
    }

    /// The part of `module` that it has this name from.
    fn re_export(&self, module: &[String], name: &String) -> Option<Vec<String>> {
        let source = self.0.get(module)?;
        let mut named = source.paths.iter().filter(|path| path.len() > 1);
        let path = named.find(|path| path.last() == Some(name))?;
        let absolute = self.absolute(module, path)?;
        let parent = absolute.split_last()?.1;
        (parent.starts_with(module) && self.0.contains_key(parent)).then(|| parent.to_vec())
    }
}

/// A path behind `super`, which may start with more of them.
fn absolute_above(from: &[String], rest: &[String]) -> Option<Vec<String>> {
    let (_, above) = from.split_last()?;
    match rest.split_first() {
        Some((first, rest)) if first == "super" => absolute_above(above, rest),
        _ => Some([above, rest].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Code;

    fn source(module: &str, text: &str) -> Source {
        let code = Code::of(text);
        Source {
            module: module.split('/').map(Into::into).collect(),
            paths: code.paths,
            macros: code.macros,
        }
    }

    #[test]
    fn a_circle_is_found_through_any_kind_of_path() {
        let sources = [
            source("a", "mod one; mod two; mod three; pub use two::Two;"),
            source("a/one", "use super::Two; use std::fmt;"),
            source("a/two", "fn f() { crate::a::three::f() }"),
            source("a/three", "use super::{one::{self, g}, two};"),
            source("a/four", "use super::one;"),
            source("b", "use crate::a;"),
            source("b/deep", "use super::super::a::Two;"),
        ];
        let imports = Imports::of(&sources);
        assert!(imports.has("", "b", "a") && !imports.has("", "a", "b"));
        assert_eq!(imports.circles(), [("a", vec!["one", "three", "two"])]);
    }
}
