//! The three-way merge, path by path: what the run began with, what it made of
//! it, and what the user has now.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::sides::{Kind, Name, Ours, Side, Touched, ancestors, is_within};

/// Why a path cannot be applied without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both changed the same lines.
    Lines,
    /// Both changed it, and it is no text.
    Binary,
    /// Both added it, with other contents.
    AddedByBoth,
    /// The user deleted it, the run changed it.
    DeletedByYou,
    /// The run deleted it, the user changed it.
    DeletedByRun,
    /// It is a link on one side.
    Link,
    /// The user has a folder, or something that is no file, where the run has a
    /// file, or a file where the run has a folder.
    InTheWay,
    /// The user has uncommitted changes in it, and a commit was asked for.
    Uncommitted,
}

impl ConflictKind {
    /// In words, to follow the path.
    pub fn words(self) -> &'static str {
        match self {
            ConflictKind::Lines => "you and the run changed the same lines",
            ConflictKind::Binary => "you and the run changed it, and it is not text",
            ConflictKind::AddedByBoth => "you and the run added it, with different contents",
            ConflictKind::DeletedByYou => "you deleted it, the run changed it",
            ConflictKind::DeletedByRun => "the run deleted it, you changed it",
            ConflictKind::Link => "it is a link on one side and was changed on both",
            ConflictKind::InTheWay => "what you have there is in the way of the run's file",
            ConflictKind::Uncommitted => "you have uncommitted changes in it",
        }
    }
}

/// What is to become of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The run's side, as it is.
    Take(Option<Side>),
    /// The user has it already.
    Same,
    /// The contents must be merged line by line, and get this kind.
    Merge {
        kind: Kind,
        base: String,
        ours: String,
        theirs: String,
    },
    Conflict(ConflictKind),
}

/// All touched paths by name, to see what becomes of the folders around one.
pub(crate) struct Changes<'a>(HashMap<&'a [u8], &'a Touched>);

impl<'a> Changes<'a> {
    pub(crate) fn new(touched: &'a [Touched]) -> Changes<'a> {
        Changes(touched.iter().map(|t| (t.path.as_slice(), t)).collect())
    }

    /// Whether the run removes what was at `path`, and the user still has that.
    fn gives_way(&self, path: &[u8], look: &dyn Fn(&[u8]) -> Ours) -> bool {
        self.0.get(path).is_some_and(|t| {
            t.theirs.is_none() && t.base.is_some() && look(path).side() == t.base.as_ref()
        })
    }
}

/// What is to become of `touched`. `look` tells what the user has at a path,
/// `below` what files they have in a folder.
pub(crate) fn decide(
    touched: &Touched,
    changes: &Changes<'_>,
    look: &dyn Fn(&[u8]) -> Ours,
    below: &dyn Fn(&[u8]) -> Vec<Name>,
) -> Decision {
    let (base, theirs) = (&touched.base, &touched.theirs);
    let ours = match look(&touched.path) {
        Ours::There(side) => Some(side),
        Ours::Absent => None,
        Ours::Below(above) if theirs.is_some() && changes.gives_way(&above, look) => None,
        Ours::Folder
            if theirs.is_some()
                && below(&touched.path)
                    .iter()
                    .all(|inner| changes.gives_way(inner, look)) =>
        {
            None
        }
        // What the run wants gone is gone, whatever took its place.
        Ours::Folder | Ours::Below(_) if theirs.is_none() => return Decision::Same,
        Ours::Folder | Ours::Below(_) | Ours::Special => {
            return Decision::Conflict(ConflictKind::InTheWay);
        }
    };
    if ours == *theirs {
        return Decision::Same;
    }
    if ours == *base {
        return Decision::Take(theirs.clone());
    }
    match (base, theirs, ours) {
        (_, None, _) => Decision::Conflict(ConflictKind::DeletedByRun),
        (_, Some(_), None) => Decision::Conflict(ConflictKind::DeletedByYou),
        (None, Some(_), Some(_)) => Decision::Conflict(ConflictKind::AddedByBoth),
        (Some(base), Some(theirs), Some(ours)) => contents(base, theirs, &ours),
    }
}

/// There on all sides, and all three differ in something.
fn contents(base: &Side, theirs: &Side, ours: &Side) -> Decision {
    if [base, theirs, ours]
        .iter()
        .any(|side| side.kind == Kind::Link)
    {
        return Decision::Conflict(ConflictKind::Link);
    }
    // Of two values, one at least is as it was: the other was meant.
    let kind = if ours.kind == base.kind {
        theirs.kind
    } else {
        ours.kind
    };
    let take = |oid: &str| {
        Decision::Take(Some(Side {
            kind,
            oid: oid.to_owned(),
        }))
    };
    if theirs.oid == base.oid || theirs.oid == ours.oid {
        return if kind == ours.kind {
            Decision::Same
        } else {
            take(&ours.oid)
        };
    }
    if ours.oid == base.oid {
        return take(&theirs.oid);
    }
    Decision::Merge {
        kind,
        base: base.oid.clone(),
        ours: ours.oid.clone(),
        theirs: theirs.oid.clone(),
    }
}

/// Conflicts spread: a path whose way is only made by another one that stays is
/// in conflict too. Returns what else is.
pub(crate) fn spread(touched: &[Touched], stays: &[Name]) -> Vec<Name> {
    let writes = touched.iter().filter(|t| t.theirs.is_some());
    writes
        .filter(|t| !stays.contains(&t.path))
        .filter(|t| {
            let above = ancestors(&t.path).any(|above| stays.iter().any(|s| s == above));
            let below = stays.iter().any(|s| s != &t.path && is_within(s, &t.path));
            above || below
        })
        .map(|t| t.path.clone())
        .collect()
}

/// How lines end, when all end alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Lf,
    CrLf,
}

fn ends(text: &[u8]) -> Option<Ends> {
    let feeds = text.iter().filter(|b| **b == b'\n').count();
    let returns = text.iter().filter(|b| **b == b'\r').count();
    let pairs = text.windows(2).filter(|pair| pair == b"\r\n").count();
    match (feeds, returns, pairs) {
        (0, _, _) => None,
        (_, 0, _) => Some(Ends::Lf),
        (f, r, p) if f == r && f == p => Some(Ends::CrLf),
        _ => None,
    }
}

fn with_ends(text: &[u8], wanted: Ends) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|b| **b != b'\r') {
        if *byte == b'\n' && wanted == Ends::CrLf {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// Where the user's lines end otherwise than those the run began with (git may
/// have checked them out so), the run's sides as they are with the user's line
/// ends. `None` where line ends are alike or mixed.
pub(crate) fn in_users_line_ends(
    base: &[u8],
    theirs: &[u8],
    ours: &[u8],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let wanted = ends(ours)?;
    if ends(base)? == wanted || ends(theirs).is_some_and(|ends| ends == wanted) {
        return None;
    }
    if !theirs.is_empty() && ends(theirs).is_none() {
        return None;
    }
    Some((with_ends(base, wanted), with_ends(theirs, wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(oid: &str) -> Option<Side> {
        Some(Side {
            kind: Kind::Plain,
            oid: oid.to_owned(),
        })
    }

    fn executable(oid: &str) -> Option<Side> {
        Some(Side {
            kind: Kind::Executable,
            oid: oid.to_owned(),
        })
    }

    fn decided(base: Option<Side>, theirs: Option<Side>, ours: Option<Side>) -> Decision {
        let touched = Touched {
            path: b"p".to_vec(),
            base,
            theirs,
        };
        let all = [touched.clone()];
        let look = |_: &[u8]| ours.clone().map_or(Ours::Absent, Ours::There);
        decide(&touched, &Changes::new(&all), &look, &|_| Vec::new())
    }

    #[test]
    fn each_way_a_path_can_have_gone() {
        use ConflictKind::*;
        let (a, b, c) = (side("a"), side("b"), side("c"));
        assert_eq!(
            decided(a.clone(), b.clone(), a.clone()),
            Decision::Take(b.clone())
        );
        assert_eq!(decided(a.clone(), b.clone(), b.clone()), Decision::Same);
        assert_eq!(decided(None, b.clone(), None), Decision::Take(b.clone()));
        assert_eq!(decided(a.clone(), None, a.clone()), Decision::Take(None));
        assert_eq!(decided(a.clone(), None, None), Decision::Same);
        assert_eq!(
            decided(a.clone(), None, b.clone()),
            Decision::Conflict(DeletedByRun)
        );
        assert_eq!(
            decided(a.clone(), b.clone(), None),
            Decision::Conflict(DeletedByYou)
        );
        assert_eq!(
            decided(None, b.clone(), c.clone()),
            Decision::Conflict(AddedByBoth)
        );
        assert!(matches!(
            decided(a, b, c),
            Decision::Merge {
                kind: Kind::Plain,
                ..
            }
        ));
    }

    #[test]
    fn the_executable_bit_is_merged_apart_from_the_contents() {
        let taken = decided(side("a"), executable("a"), side("b"));
        assert_eq!(taken, Decision::Take(executable("b")));
        let taken = decided(side("a"), side("b"), executable("a"));
        assert_eq!(taken, Decision::Take(executable("b")));
        assert_eq!(
            decided(side("a"), executable("a"), executable("b")),
            Decision::Same
        );
    }

    #[test]
    fn a_folder_gives_way_only_when_the_run_removes_all_that_is_in_it() {
        let gone = Touched {
            path: b"d/x".to_vec(),
            base: side("a"),
            theirs: None,
        };
        let new = Touched {
            path: b"d".to_vec(),
            base: None,
            theirs: side("b"),
        };
        let all = [gone, new.clone()];
        let look = |path: &[u8]| match path {
            b"d" => Ours::Folder,
            b"d/x" => Ours::There(side("a").expect("a side")),
            _ => Ours::Absent,
        };
        let changes = Changes::new(&all);
        let taken = decide(&new, &changes, &look, &|_| vec![b"d/x".to_vec()]);
        assert_eq!(taken, Decision::Take(side("b")));
        let mine_too = |_: &[u8]| vec![b"d/x".to_vec(), b"d/mine".to_vec()];
        let kept = decide(&new, &changes, &look, &mine_too);
        assert_eq!(kept, Decision::Conflict(ConflictKind::InTheWay));
        assert_eq!(spread(&all, &[b"d/x".to_vec()]), [b"d".to_vec()]);
    }

    #[test]
    fn the_run_follows_the_users_line_ends() {
        let (base, theirs) = (b"a\nb\n", b"a\nc\n");
        let followed = in_users_line_ends(base, theirs, b"a\r\nb\r\n");
        assert_eq!(
            followed,
            Some((b"a\r\nb\r\n".to_vec(), b"a\r\nc\r\n".to_vec()))
        );
        assert_eq!(in_users_line_ends(base, theirs, b"a\nx\n"), None);
        assert_eq!(in_users_line_ends(base, theirs, b"a\r\nb\n"), None, "mixed");
        assert_eq!(
            in_users_line_ends(b"a\r\n", b"b\r\nc\n", b"a\n"),
            None,
            "mixed"
        );
    }
}
