//! Putting a run's result into the project.

use domain::{ApplyInto, HunkName};
use protocol::{Applied, AppliedPath, AppliedWhat, ApplyRequest, DiffRequest};

use crate::args::{ApplyArgs, Into};
use crate::context::Context;
use crate::failure::Failure;
use crate::parse::Hunks;
use crate::print::{Look, safe};

/// Somebody has to decide first (DESIGN §6).
const OPEN_REVIEW: u8 = 3;

/// Paths named one by one; more are counted.
const SHOWN: usize = 30;

pub(super) async fn apply(context: &Context, args: ApplyArgs) -> Result<u8, Failure> {
    let into = match args.into {
        Into::Branch => ApplyInto::Branch,
        Into::Commit => ApplyInto::Commit,
        Into::Changes => ApplyInto::Changes,
    };
    let client = context.client().await?;
    let hunks = match args.hunks.as_slice() {
        [] => Vec::new(),
        wanted => {
            let diff = client.diff(DiffRequest {
                run: args.run.clone(),
            });
            chosen(&diff.await?.hunks, wanted)?
        }
    };
    let request = ApplyRequest {
        run: args.run,
        into,
        branch: args.branch,
        paths: args.paths,
        hunks,
        by: Some("cli".to_owned()),
    };
    let applied = client.apply(request).await?;
    let text = || match applied.review {
        Some(_) => asked(context, &applied),
        None => done(context, &applied, into),
    };
    context.print.either(&applied, text)?;
    Ok(if applied.review.is_some() {
        OPEN_REVIEW
    } else {
        0
    })
}

/// The hunks that were meant, by the names the diff has for them now.
fn chosen(all: &[HunkName], wanted: &[Hunks]) -> Result<Vec<HunkName>, Failure> {
    let mut found = Vec::new();
    for Hunks { path, hunks } in wanted {
        let of_file = || all.iter().filter(|hunk| hunk.path == *path);
        for (number, digest) in hunks {
            let hunk = of_file()
                .find(|hunk| hunk.number == *number)
                .ok_or_else(|| {
                    let problem = match of_file().count() {
                        0 => format!("the diff has no hunks of {path}"),
                        1 => format!("{path} has 1 hunk"),
                        n => format!("{path} has {n} hunks"),
                    };
                    Failure::usage(problem, "`longhaul diff` numbers them")
                })?;
            if !hunk.digest.starts_with(digest) {
                let problem = format!("hunk {number} of {path} is another one by now");
                return Err(Failure::usage(problem, "look at `longhaul diff` again"));
            }
            found.push(hunk.clone());
        }
    }
    Ok(found)
}

fn done(context: &Context, applied: &Applied, into: ApplyInto) -> String {
    let changed = applied.paths.iter().filter(|path| {
        let idle = [
            AppliedWhat::Same,
            AppliedWhat::KeptYours,
            AppliedWhat::LeftOut,
        ];
        !idle.contains(&path.what)
    });
    let files = match changed.count() {
        0 => "nothing to change".to_owned(),
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let target = safe(&applied.target);
    let commit = applied
        .commit
        .as_deref()
        .map(|id| id.get(..10).unwrap_or(id));
    let first = match (into, commit) {
        (ApplyInto::Branch, Some(commit)) => {
            format!("applied as branch {target} ({commit}): {files}")
        }
        (ApplyInto::Commit, Some(commit)) => {
            format!("applied as commit {commit} on {target}: {files}")
        }
        (ApplyInto::Commit, None) => format!("{target} has all of it already"),
        _ => format!("applied as uncommitted changes in {target}: {files}"),
    };
    let mut text = context.print.look(&first, Look::Good);
    text.push_str(&list(context, &applied.paths));
    match into {
        ApplyInto::Branch => text.push_str(&format!("\nmerge it:  git merge {target}")),
        ApplyInto::Commit if commit.is_some() => {
            text.push_str("\nundo:  git revert HEAD (or git reset --keep HEAD^)");
        }
        _ => {}
    }
    if let (Some(kept), ApplyInto::Changes) = (&applied.kept, into) {
        text.push_str(&format!(
            "\nundo:  what was replaced or removed is kept until the run is discarded:\n       \
             git --git-dir={} --work-tree={target} checkout {} -- .",
            safe(&kept.store),
            kept.commit,
        ));
    }
    text
}

fn asked(context: &Context, applied: &Applied) -> String {
    let review = applied.review.map(|id| id.to_string()).unwrap_or_default();
    let first = "nothing was applied yet: you changed the same files meanwhile";
    let mut text = context.print.look(first, Look::Bad);
    text.push_str(&list(context, &applied.paths));
    text.push_str(&format!(
        "\nlook:    longhaul reviews\nanswer:  longhaul answer {review} theirs|mine|branch|cancel\n         \
         theirs takes the run's version of these files (yours are kept as copies), mine keeps yours\n         \
         and applies the rest, branch makes a branch of all of it, cancel applies nothing"
    ));
    text
}

fn list(context: &Context, paths: &[AppliedPath]) -> String {
    let mut text = String::new();
    for path in paths.iter().take(SHOWN) {
        let (word, look) = match path.what {
            AppliedWhat::Written => ("written", Look::Plain),
            AppliedWhat::Deleted => ("deleted", Look::Plain),
            AppliedWhat::Merged => ("merged with yours", Look::Active),
            AppliedWhat::Same => ("the same already", Look::Plain),
            AppliedWhat::ReplacedYours => ("replaced yours (kept)", Look::Active),
            AppliedWhat::KeptYours => ("kept yours", Look::Active),
            AppliedWhat::LeftOut => ("left out: in a submodule", Look::Bad),
            AppliedWhat::Conflict => ("conflict", Look::Bad),
        };
        let why = path
            .why
            .as_deref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let word = context.print.look(word, look);
        text.push_str(&format!("\n  {}  {word}{}", safe(&path.path), safe(&why)));
    }
    if let Some(more) = paths.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("\n  … and {more} more (--json names all)"));
    }
    text
}
