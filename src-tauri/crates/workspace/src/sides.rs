//! What a path is on one side of a merge: in the start of the run, in its
//! result, and with the user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::git::zero_separated;

/// A path as git has it: relative to the top, any bytes.
pub(crate) type Name = Vec<u8>;

/// What git tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Plain,
    Executable,
    Link,
}

impl Kind {
    /// git's mode, as in gitformat-index(5).
    pub(crate) fn mode(self) -> &'static str {
        match self {
            Kind::Plain => "100644",
            Kind::Executable => "100755",
            Kind::Link => "120000",
        }
    }

    pub(crate) fn of_mode(mode: &[u8]) -> Option<Kind> {
        match mode {
            b"100644" => Some(Kind::Plain),
            b"100755" => Some(Kind::Executable),
            b"120000" => Some(Kind::Link),
            _ => None,
        }
    }
}

/// A file or link, its contents named by their object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) kind: Kind,
    pub(crate) oid: String,
}

/// What the user has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ours {
    Absent,
    There(Side),
    /// A folder, where a file was or is to be.
    Folder,
    /// Something on the way to it is a file or a link; this is what.
    Below(Name),
    /// A FIFO, socket, device or submodule.
    Special,
}

impl Ours {
    pub(crate) fn side(&self) -> Option<&Side> {
        match self {
            Ours::There(side) => Some(side),
            _ => None,
        }
    }
}

/// A path the run changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) path: Name,
    pub(crate) base: Option<Side>,
    pub(crate) theirs: Option<Side>,
}

/// Raw `-z` output of diff-tree. Submodules come as nothing on their side.
pub(crate) fn parse_raw_diff(out: &[u8]) -> Vec<Touched> {
    let mut parts = zero_separated(out);
    let mut all = Vec::new();
    while let (Some(entry), Some(path)) = (parts.next(), parts.next()) {
        let fields: Vec<&[u8]> = entry.split(|b| *b == b' ').collect();
        let [from_mode, to_mode, from, to, ..] = fields[..] else {
            continue;
        };
        let side = |mode: &[u8], oid: &[u8]| {
            Kind::of_mode(mode).map(|kind| Side {
                kind,
                oid: String::from_utf8_lossy(oid).into_owned(),
            })
        };
        all.push(Touched {
            path: path.to_vec(),
            base: side(from_mode.strip_prefix(b":").unwrap_or(from_mode), from),
            theirs: side(to_mode, to),
        });
    }
    all
}

/// All files of a tree, from `ls-tree -r -z`; submodules are `None`.
pub(crate) struct Listing(BTreeMap<Name, Option<Side>>);

impl Listing {
    pub(crate) fn parse(out: &[u8]) -> Listing {
        let entries = zero_separated(out).filter_map(|entry| {
            let tab = entry.iter().position(|b| *b == b'\t')?;
            let (facts, path) = (&entry[..tab], &entry[tab + 1..]);
            let mut facts = facts.split(|b| *b == b' ');
            let (mode, _, oid) = (facts.next()?, facts.next()?, facts.next()?);
            let oid = String::from_utf8_lossy(oid).into_owned();
            let side = Kind::of_mode(mode).map(|kind| Side { kind, oid });
            Some((path.to_vec(), side))
        });
        Listing(entries.collect())
    }

    /// As a listing of files, what is at `path`.
    pub(crate) fn look(&self, path: &[u8]) -> Ours {
        match self.0.get(path) {
            Some(Some(side)) => return Ours::There(side.clone()),
            Some(None) => return Ours::Special,
            None => {}
        }
        if let Some(above) = ancestors(path).find(|above| self.0.contains_key(*above)) {
            return Ours::Below(above.to_vec());
        }
        let inside = [path, b"/"].concat();
        let next = self.0.range(inside.clone()..).next();
        match next {
            Some((name, _)) if name.starts_with(&inside) => Ours::Folder,
            _ => Ours::Absent,
        }
    }

    /// The paths below the folder `path`.
    pub(crate) fn below(&self, path: &[u8]) -> Vec<Name> {
        let inside = [path, b"/"].concat();
        let from = self.0.range(inside.clone()..);
        from.take_while(|(name, _)| name.starts_with(&inside))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(crate) fn submodules(&self) -> impl Iterator<Item = &Name> {
        let all = self.0.iter();
        all.filter(|(_, side)| side.is_none()).map(|(name, _)| name)
    }
}

/// The folders `path` is in, from the top down, without the top itself.
pub(crate) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes.map(|(at, _)| &path[..at])
}

/// Whether `path` is `folder` or in it.
pub(crate) fn is_within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| folder.is_empty() || rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_knows_files_folders_and_what_is_below_a_file() {
        let oid = "1".repeat(40);
        let out = format!(
            "100644 blob {oid}\ta/b\0120000 blob {oid}\tlink\0160000 commit {oid}\tsub\0100755 blob {oid}\ta.sh\0"
        );
        let list = Listing::parse(out.as_bytes());
        assert!(matches!(
            list.look(b"a/b"),
            Ours::There(Side {
                kind: Kind::Plain,
                ..
            })
        ));
        assert_eq!(list.look(b"a"), Ours::Folder);
        assert_eq!(list.look(b"link/x"), Ours::Below(b"link".to_vec()));
        assert_eq!(list.look(b"sub"), Ours::Special);
        assert_eq!(list.look(b"a/c"), Ours::Absent);
        assert_eq!(list.below(b"a"), [b"a/b".to_vec()], "not a.sh");
    }

    #[test]
    fn within_is_about_whole_names() {
        assert!(is_within(b"a/b", b"a"));
        assert!(is_within(b"a", b"a"));
        assert!(is_within(b"a", b""));
        assert!(!is_within(b"ab", b"a"));
    }
}
