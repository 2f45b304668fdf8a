//! The arguments of a command, as `COMMAND DOCS` describes them.

/// An argument, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name, in lower case.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The word in front of it, or the word that it is.
    pub token: Option<&'static str>,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it may be repeated.
    pub is_multiple: bool,
}

/// The type of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value of a type that Redis names.
    Value(&'static str),
    /// A word that stands for itself.
    PureToken,
    /// One of these.
    OneOf(Vec<Argument>),
    /// All of these, in order.
    Block(Vec<Argument>),
}

/// The arguments in a line such as `key value [NX|XX] [EX seconds]`. Brackets that do not match end
/// where the line ends.
#[must_use]
pub fn arguments(syntax: &'static str) -> Vec<Argument> {
    let mut rest = syntax;
    let mut arguments = Vec::new();
    while let Some((part, tail)) = next_part(rest) {
        rest = tail;
        arguments.push(argument(part));
    }
    join_tokens(arguments)
}

/// The next word or bracket, with its dots, and what follows.
fn next_part(text: &'static str) -> Option<(&'static str, &'static str)> {
    let text = text.trim_start();
    let mut depth = 0_i32;
    let end = text.char_indices().find(|&(_, c)| {
        depth += match c {
            '[' | '{' => 1,
            ']' | '}' => -1,
            _ => 0,
        };
        c == ' ' && depth == 0
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    (end > 0).then(|| text.split_at(end))
}

fn argument(part: &'static str) -> Argument {
    let bare = part.strip_suffix("...");
    let (is_multiple, bare) = (bare.is_some(), bare.unwrap_or(part));
    let inner = |open, close| {
        bare.strip_prefix(open)
            .and_then(|it: &str| it.strip_suffix(close))
    };
    if let Some(inside) = inner('[', ']') {
        let mut argument = group(inside);
        argument.is_optional = true;
        return argument;
    }
    let mut argument = match inner('{', '}') {
        Some(inside) => group(inside),
        None => word(bare),
    };
    argument.is_multiple = is_multiple;
    argument
}

/// What is inside of brackets: one argument, alternatives, or a block.
fn group(inside: &'static str) -> Argument {
    let choices = choices(inside);
    if choices.len() > 1 {
        let choices: Vec<Argument> = choices.into_iter().map(group).collect();
        return compound("choice", Kind::OneOf(choices));
    }
    let mut arguments = arguments(inside);
    if arguments.len() == 1 {
        return arguments.remove(0);
    }
    compound("block", Kind::Block(arguments))
}

/// The alternatives at the outermost level.
fn choices(text: &'static str) -> Vec<&'static str> {
    let (mut depth, mut start, mut choices) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            '|' if depth == 0 => {
                choices.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    choices.push(&text[start..]);
    choices
}

fn compound(name: &str, kind: Kind) -> Argument {
    Argument {
        name: name.into(),
        kind,
        token: None,
        is_optional: false,
        is_multiple: false,
    }
}

fn word(word: &'static str) -> Argument {
    let is_token = word.bytes().any(|it| it.is_ascii_uppercase());
    let kind = if is_token {
        Kind::PureToken
    } else {
        Kind::Value(kind_of(word))
    };
    Argument {
        token: is_token.then_some(word),
        ..compound(&word.to_ascii_lowercase(), kind)
    }
}

fn kind_of(name: &str) -> &'static str {
    match name {
        "key" | "newkey" | "source" | "destination" => "key",
        "pattern" => "pattern",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        "seconds" | "milliseconds" | "decrement" | "start" | "end" | "offset" | "numkeys"
        | "cursor" | "count" | "destination-db" | "index" | "timeout" | "numreplicas" | "slot"
        | "protover" | "client-id" | "version" => "integer",
        _ => "string",
    }
}

/// A word in capitals belongs to the value that follows it.
fn join_tokens(arguments: Vec<Argument>) -> Vec<Argument> {
    let mut joined: Vec<Argument> = Vec::new();
    for argument in arguments {
        match joined.last_mut() {
            Some(last)
                if last.kind == Kind::PureToken
                    && !argument.is_optional
                    && matches!(argument.kind, Kind::Value(_) | Kind::OneOf(_)) =>
            {
                let token = last.token;
                *last = Argument { token, ..argument };
            }
            _ => joined.push(argument),
        }
    }
    joined
}
