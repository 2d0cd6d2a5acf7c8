//! Ids of calls that are used again: small model servers number the calls of each answer anew,
//! and agents pass that on. Each use gets a name of its own, the same in every reading.

use std::collections::{HashMap, HashSet};

/// The uses of all ids so far.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    open: HashSet<String>,
    over: HashMap<String, u32>,
}

/// How a call is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As one that begins.
    Begins,
    /// As one that is known.
    Known,
}

impl Uses {
    /// The name of the use that is told of. None if it is one that is over.
    pub(crate) fn name(&mut self, id: &str, telling: Telling) -> Option<String> {
        let over = self.over.get(id).copied().unwrap_or(0);
        if !self.open.contains(id) {
            if over > 0 && telling == Telling::Known {
                return None;
            }
            self.open.insert(id.to_owned());
        }
        Some(match over {
            0 => id.to_owned(),
            over => format!("{id}#{}", over + 1),
        })
    }

    /// The use that is open is over.
    pub(crate) fn end(&mut self, id: &str) {
        if self.open.remove(id) {
            *self.over.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_used_again_names_another_call() {
        let mut uses = Uses::default();
        let name = |uses: &mut Uses, telling| uses.name("call_0", telling);
        assert_eq!(name(&mut uses, Telling::Known).unwrap(), "call_0");
        assert_eq!(name(&mut uses, Telling::Begins).unwrap(), "call_0");
        uses.end("call_0");
        assert_eq!(name(&mut uses, Telling::Known), None, "late words of it");
        assert_eq!(name(&mut uses, Telling::Begins).unwrap(), "call_0#2");
        assert_eq!(name(&mut uses, Telling::Known).unwrap(), "call_0#2");
        uses.end("call_0");
        uses.end("call_0");
        assert_eq!(name(&mut uses, Telling::Begins).unwrap(), "call_0#3");
    }
}
