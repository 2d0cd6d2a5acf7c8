//! The expressions of find that only look.

use super::is_inside;

/// Every word of a find command must be known: its expressions run and delete.
pub(super) fn allows(args: &[&str]) -> bool {
    const ALONE: &[&str] = &[
        "-print", "-empty", "-not", "-o", "-or", "-a", "-and", "-prune", "-true", "-false",
    ];
    const WITH_TEXT: &[&str] = &[
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-regex",
        "-iregex",
        "-type",
        "-size",
        "-mtime",
        "-mmin",
        "-maxdepth",
        "-mindepth",
    ];
    let mut left = args.iter().copied();
    let mut expression = false;
    while let Some(arg) = left.next() {
        let fine = if !arg.starts_with('-') {
            // Starting points come first; afterwards a bare word is something unknown.
            !expression && is_inside(arg) && !matches!(arg, "(" | ")" | "!" | ",")
        } else if arg == "-newer" {
            expression = true;
            left.next().is_some_and(is_inside)
        } else {
            expression = true;
            ALONE.contains(&arg) || (WITH_TEXT.contains(&arg) && left.next().is_some())
        };
        if !fine {
            return false;
        }
    }
    true
}
