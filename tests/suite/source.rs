//! The library's source as tokens: without comments, and without tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of the library.
pub(crate) struct Source {
    /// The path of its module below the crate: `["store", "slab"]`.
    pub module: Vec<String>,
    /// Every path that it names, `use` trees expanded: `["super", "style", "Paint"]`.
    pub paths: Vec<Vec<String>>,
    /// The macros that it calls.
    pub macros: BTreeSet<String>,
}

/// Every file of the library but `lib.rs`, `main.rs` and tests, by module.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(read_sources)
}

fn read_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    find_files(&root, &mut files);
    let mut tests = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files {
        let module = module_of(file.strip_prefix(&root).expect("a path below src"));
        if matches!(module.as_slice(), [name] if name == "lib" || name == "main") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source");
        let code = Code::of(&text);
        for test in code.test_modules {
            tests.insert([module.as_slice(), &[test]].concat());
        }
        sources.push(Source {
            module,
            paths: code.paths,
            macros: code.macros,
        });
    }
    sources.retain(|source| !is_test(source, &tests));
    sources.sort_by(|one, other| one.module.cmp(&other.module));
    sources
}

fn find_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            find_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `store/slab.rs` is `["store", "slab"]`, and `store/mod.rs` is `["store"]`.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

fn is_test(source: &Source, tests: &BTreeSet<Vec<String>>) -> bool {
    let named = |name: &String| name.ends_with("tests");
    source.module.last().is_some_and(named) || tests.contains(&source.module)
}

/// What a piece of source names.
#[derive(Default)]
pub(crate) struct Code {
    pub paths: Vec<Vec<String>>,
    pub macros: BTreeSet<String>,
    /// The modules behind `#[cfg(test)]`.
    pub test_modules: Vec<String>,
}

impl Code {
    /// Reads a whole file.
    pub(crate) fn of(text: &str) -> Self {
        let tokens: TokenStream = text.parse().expect("Rust");
        let mut code = Self::default();
        code.read(tokens);
        code
    }

    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let Some(first) = rest.first() {
            let taken = match first {
                TokenTree::Group(group) => {
                    self.read(group.stream());
                    1
                }
                TokenTree::Ident(_) => self.path(Vec::new(), rest),
                _ => self.test_module(rest).unwrap_or(1),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// The length of `#[cfg(test)] mod name;` or `#[cfg(test)] mod name { ... }`, if that is what
    /// comes first. Other attributes and a visibility may stand between.
    fn test_module(&mut self, tokens: &[TokenTree]) -> Option<usize> {
        if !is_attribute(tokens) || tokens.get(1)?.to_string().replace(' ', "") != "[cfg(test)]" {
            return None;
        }
        let mut at = 2;
        while is_attribute(tokens.get(at..)?) {
            at += 2;
        }
        while matches!(tokens.get(at)?, TokenTree::Ident(word) if word == "pub")
            || matches!(tokens.get(at)?, TokenTree::Group(_))
        {
            at += 1;
        }
        if !matches!(tokens.get(at)?, TokenTree::Ident(word) if word == "mod") {
            return None;
        }
        self.test_modules.push(tokens.get(at + 1)?.to_string());
        Some(at + 3)
    }

    /// Reads a path that starts here, behind `prefix`, and returns how many tokens it has.
    fn path(&mut self, prefix: Vec<String>, tokens: &[TokenTree]) -> usize {
        let mut path = prefix;
        let mut at = 0;
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                Some(TokenTree::Group(tree)) if tree.delimiter() == Delimiter::Brace => {
                    self.tree(&path, tree.stream());
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
            if !is_punctuation(tokens.get(at), ':') || !is_punctuation(tokens.get(at + 1), ':') {
                break;
            }
            at += 2;
        }
        if is_punctuation(tokens.get(at), '!') {
            self.macros.extend(path.last().cloned());
        }
        self.paths.push(path);
        at.max(1)
    }

    /// Reads the branches of a `use` tree.
    fn tree(&mut self, prefix: &[String], branches: TokenStream) {
        let tokens: Vec<TokenTree> = branches.into_iter().collect();
        for branch in tokens.split(|token| is_punctuation(Some(token), ',')) {
            if !branch.is_empty() {
                self.path(prefix.to_vec(), branch);
            }
        }
    }
}

fn is_attribute(tokens: &[TokenTree]) -> bool {
    let group = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket);
    is_punctuation(tokens.first(), '#') && tokens.get(1).is_some_and(group)
}

fn is_punctuation(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

#[test]
fn only_test_modules_are_taken_out() {
    let code = Code::of(
        r#"
        use crate::before::{self, deep::{One, Two as Other}};
        #[cfg(test)]
        mod chance_tests;
        #[cfg(test)]
        #[allow(dead_code, reason = "helpers")]
        pub(crate) mod tests {
            use crate::hidden::Name;
            fn braces() { let _ = '{'; let _ = "}}"; println!("hidden"); }
        }
        /// See [`crate::comment`]. println!
        fn after() {
            // crate::comment
            let _ = "crate::string";
            crate::after::call(Vec::<u8>::new());
            eprintln!("{}", matches!(1, crate::inside::MACRO));
        }
        #[cfg(test)]
        fn kept() {}
        "#,
    );
    let ours = code.paths.iter().filter(|path| path[0] == "crate");
    let ours: Vec<String> = ours.map(|path| path.join("::")).collect();
    assert_eq!(
        ours,
        [
            "crate::before::self",
            "crate::before::deep::One",
            "crate::before::deep::Two",
            "crate::after::call",
            "crate::inside::MACRO",
        ]
    );
    assert_eq!(code.test_modules, ["chance_tests", "tests"]);
    let macros: Vec<&str> = code.macros.iter().map(String::as_str).collect();
    assert_eq!(macros, ["eprintln", "matches"]);
    assert!(code.paths.contains(&vec!["kept".into()]));
}
