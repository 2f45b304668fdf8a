//! The words of COMPARE at the prompt, read as arguments of `shardlab compare`: options without dashes,
//! behind the files.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::{CommandFactory, Parser};

use super::arguments::{self as lab, Manners};
use crate::config::{MAX_NODES, MAX_REPLICAS};
use crate::language::word::{Shown, join};
use crate::report::Form;

/// The options of `shardlab compare`, and those that it shares with the rest of the program.
#[derive(Parser)]
#[command(name = "compare", disable_help_flag = true)]
struct Arguments {
    #[command(flatten)]
    compare: lab::Compare,
    /// The numbers of nodes
    #[arg(long, value_name = "N,...", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_NODES)))]
    nodes: Vec<u32>,
    /// How many nodes hold each object
    #[arg(long, value_name = "N,...", value_delimiter = ',',
          value_parser = replicas)]
    replicas: Vec<usize>,
    /// The seed of policies that choose at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// The longest word that is compared with the options, in bytes.
const LONGEST: usize = 20;

/// The names of the options, in the order of the help.
pub fn options() -> Vec<String> {
    let command = Arguments::command();
    let all = command.get_arguments();
    all.filter_map(clap::Arg::get_long)
        .map(Into::into)
        .collect()
}

/// The comparison that these words ask for: files, then options with their values.
///
/// # Errors
/// What is wrong with the words, in one line.
pub fn compare(words: &[Vec<u8>], form: Form, quiet: bool) -> Result<super::Compare, String> {
    let parsed = Arguments::try_parse_from(arguments(words)?);
    let Arguments {
        compare,
        nodes,
        replicas,
        seed,
    } = parsed.map_err(|error| in_words(&error.to_string()))?;
    let manners = Manners {
        form,
        quiet,
        seed,
        nodes,
        replicas,
        command: command(words),
    };
    let options = compare.options(&manners);
    options.map_err(|error| in_words(&error))
}

/// The command line.
fn command(words: &[Vec<u8>]) -> String {
    let words = [&b"COMPARE"[..]]
        .into_iter()
        .chain(words.iter().map(Vec::as_slice));
    String::from_utf8_lossy(&join(words)).into_owned()
}

fn replicas(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    number
        .filter(|it| (1..=MAX_REPLICAS).contains(it))
        .ok_or_else(|| format!("use 1 to {MAX_REPLICAS}"))
}

/// Where the files end: at the first word that is the name of an option.
pub fn files(words: &[Vec<u8>]) -> usize {
    let options = options();
    let is_option = |word: &Vec<u8>| name(&options, word).is_some();
    words.iter().position(is_option).unwrap_or(words.len())
}

/// The option that a word is probably meant for.
pub fn near(word: &[u8]) -> Option<String> {
    let word = std::str::from_utf8(word).ok()?.to_ascii_lowercase();
    let is_near = |option: &String| {
        word.len() <= LONGEST && strsim::damerau_levenshtein(option, &word) <= option.len() / 4
    };
    options().into_iter().find(is_near)
}

fn name<'o>(options: &'o [String], word: &[u8]) -> Option<&'o str> {
    let is = |option: &&String| option.as_bytes().eq_ignore_ascii_case(word);
    options.iter().find(is).map(String::as_str)
}

fn arguments(words: &[Vec<u8>]) -> Result<Vec<OsString>, String> {
    let (names, (files, rest)) = (options(), words.split_at(files(words)));
    let mut arguments: Vec<OsString> = vec!["compare".into()];
    for pair in rest.chunks(2) {
        let option = name(&names, &pair[0]).ok_or_else(|| {
            let (shown, all) = (Shown(&pair[0]), names.join(", "));
            format!("there is no option {shown}; the options are {all}")
        })?;
        let value = pair
            .get(1)
            .ok_or_else(|| format!("{option} needs a value"))?;
        arguments.push(format!("--{option}").into());
        arguments.push(OsString::from_vec(value.clone()));
    }
    arguments.push("--".into());
    arguments.extend(files.iter().cloned().map(OsString::from_vec));
    Ok(arguments)
}

/// The first paragraph of an error, without the dashes of options.
fn in_words(error: &str) -> String {
    let first = error.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let text = words.join(" ").replace("'--", "'");
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.strip_prefix("--").unwrap_or(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<crate::shell::lab::Compare, String> {
        let words: Vec<Vec<u8>> = line
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        compare(&words, Form::Json, false)
    }

    #[test]
    fn words_are_options_without_dashes() {
        let options =
            of("a.csv b.csv policies lru,arc SIZES 1%,10% nodes 1,3 replicas 1,2 seed 7 at 1=HEAL");
        let options = options.expect("options");
        assert_eq!(options.traces.len(), 2);
        assert_eq!((options.policies.len(), options.sizes.len()), (2, 2));
        assert_eq!((options.nodes, options.seed), (vec![1, 3], 7));
        assert_eq!((options.replicas, options.events.len()), (vec![1, 2], 1));
        assert!(options.command.starts_with("COMPARE a.csv b.csv policies"));
        assert_eq!(options.form, Form::Json);
    }

    #[test]
    fn errors_fit_the_prompt() {
        let error = |line| of(line).map(|_| ()).expect_err("an error");
        assert_eq!(error("a.csv sizes"), "sizes needs a value");
        assert!(
            error("a.csv sizes 1% sise 2")
                .starts_with("there is no option sise; the options are trace-format, ")
        );
        assert!(
            error("a.csv sizes x")
                .starts_with("invalid value 'x' for 'sizes <SIZE,...>': x is no size")
        );
        assert!(error("a.csv policies nonsense").starts_with("policies: "));
        assert_eq!(near(b"Size"), Some("sizes".into()));
        assert_eq!((near(b"web.csv"), near(b"\xff")), (None, None));
        assert!(!error("sizes 1%").contains("--"), "{}", error("sizes 1%"));
    }
}
