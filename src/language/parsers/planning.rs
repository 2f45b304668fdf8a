//! The command that plans a change.

use crate::language::command::{Action, Command, Script};
use crate::language::lookup;
use crate::language::verb::Verb;
use crate::language::words::{Parsed, Rest};

pub fn plan<'a>(rest: &mut Rest<'a>) -> Parsed<'a> {
    let missing = || rest.spec.usage_error("the change is missing");
    let name = rest.clone().next()?.ok_or_else(missing)?;
    rest.next()?;
    let unknown = || lookup::unknown(rest.rows, &name);
    let row = lookup::find(rest.rows, &name.bytes).ok_or_else(unknown)?;
    let moves_keys = matches!(
        row.spec.verb,
        Verb::Join | Verb::Leave | Verb::Placement | Verb::Replicas
    );
    if moves_keys && let Action::Script(Script::Move(change)) = rest.parse_as(row)? {
        return Ok(Command::Plan { change }.into());
    }
    let fault = if moves_keys {
        format!("a word is missing after {}", row.spec.name)
    } else {
        format!(
            "PLAN takes JOIN, LEAVE, PLACEMENT or REPLICAS, and not {}",
            row.spec.name
        )
    };
    Err(rest.spec.usage_error(&fault).at(name.span()))
}

#[cfg(test)]
mod tests {
    use crate::id::NodeId;
    use crate::language::{Action, Change, Command, parse};

    fn read(line: &str) -> String {
        match parse(line.as_bytes()) {
            Ok(Some(input)) => match input.action {
                Action::Command(Command::Plan { change }) => format!("{change:?}"),
                other => format!("{other:?}"),
            },
            Ok(None) => String::new(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn a_plan_takes_a_change() {
        let shown = |change: Change| format!("{change:?}");
        assert_eq!(
            read("plan join weight 2"),
            shown(Change::Join { weight: 2 })
        );
        let node = NodeId(1);
        assert_eq!(read("PLAN LEAVE 1"), shown(Change::Leave { node }));
        assert!(read("PLAN PLACEMENT").starts_with("a word is missing after PLACEMENT"));
        assert!(read("PLAN PUT a 1").starts_with("PLAN takes JOIN"));
        assert!(read("PLAN").starts_with("the change is missing; usage: PLAN"));
        assert!(read("PLAN JION").contains("did you mean JOIN?"));
    }
}
