//! Submodules of a clone: filled with the files of the recorded commit where the
//! user's repository has them.
//!
//! Their files become ordinary files of the workspace. Nothing of a submodule's
//! configuration is read, and there is no `.git` in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::bring::real_folders;
use crate::clone::Clone;
use crate::git::{Call, GitError, zero_separated};
use crate::objects;
use crate::prepare_error::PrepareError;
use crate::repository::Repository;

struct Submodule {
    commit: String,
    path: PathBuf,
}

/// Fills what can be filled and returns how many stay empty.
pub(crate) async fn fill(
    clone: &Clone<'_>,
    repo: &Repository,
    scratch: &Path,
) -> Result<u64, PrepareError> {
    let submodules = recorded(clone).await?;
    let mut empty = 0;
    for submodule in submodules {
        match objects_of(clone, repo, &submodule.path).await? {
            Some(objects) if check_out(clone, repo, &submodule, &objects, scratch).await? => {}
            _ => empty += 1,
        }
    }
    Ok(empty)
}

async fn recorded(clone: &Clone<'_>) -> Result<Vec<Submodule>, GitError> {
    let list = clone.call("ls-files").args(["--stage", "-z"]);
    let out = clone.git.run(list).await?;
    let entries = zero_separated(&out).filter(|entry| entry.starts_with(b"160000 "));
    Ok(entries
        .filter_map(|entry| {
            let (facts, path) = entry.split_at(entry.iter().position(|b| *b == b'\t')?);
            let commit = facts.split(|b| *b == b' ').nth(1)?;
            Some(Submodule {
                commit: String::from_utf8_lossy(commit).into_owned(),
                path: OsStr::from_bytes(&path[1..]).into(),
            })
        })
        .collect())
}

/// Where the user's repository keeps the submodule's objects.
async fn objects_of(
    clone: &Clone<'_>,
    repo: &Repository,
    path: &Path,
) -> Result<Option<PathBuf>, GitError> {
    let own = repo.top.join(path).join(".git/objects");
    if own.is_dir() {
        return Ok(Some(own));
    }
    let Some(name) = name_of(clone, path).await? else {
        return Ok(None);
    };
    let plain = Path::new(&name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let objects = repo.common_dir.join("modules").join(&name).join("objects");
    Ok((plain && objects.is_dir()).then_some(objects))
}

/// Its name in `.gitmodules`, which is read as data.
async fn name_of(clone: &Clone<'_>, path: &Path) -> Result<Option<String>, GitError> {
    let list = clone
        .call("config")
        .arg(format!("--blob={}:.gitmodules", clone.head))
        .args(["-z", "--get-regexp", r"^submodule\..*\.path$"]);
    let answer = clone.git.ask(list).await?;
    let found = zero_separated(&answer.stdout).find_map(|entry| {
        let (key, value) = entry.split_at(entry.iter().position(|b| *b == b'\n')?);
        let name = key.strip_prefix(b"submodule.")?.strip_suffix(b".path")?;
        (&value[1..] == path.as_os_str().as_bytes())
            .then(|| String::from_utf8_lossy(name).into_owned())
    });
    Ok(found)
}

/// False when the commit is not there, or something stands in the way.
async fn check_out(
    clone: &Clone<'_>,
    repo: &Repository,
    submodule: &Submodule,
    objects: &Path,
    scratch: &Path,
) -> Result<bool, PrepareError> {
    let folder = clone.dir.join(&submodule.path);
    if !real_folders(clone.dir, &submodule.path) || !folder.is_dir() {
        return Ok(false);
    }
    let own = tempfile::tempdir_in(scratch).map_err(PrepareError::io(scratch))?;
    let git_dir = own.path().join("git");
    let init = Call::new(own.path(), "init")
        .args(["--quiet", "--bare", "--template="])
        .arg(format!("--object-format={}", repo.object_format))
        .arg(&git_dir);
    clone.git.run(init).await?;
    objects::borrow(objects, &git_dir.join("objects")).map_err(PrepareError::io(&git_dir))?;
    let fill = Call::new(&folder, "read-tree")
        .env("GIT_DIR", &git_dir)
        .env("GIT_WORK_TREE", &folder)
        .args(["-m", "-u", &submodule.commit])
        .long();
    Ok(clone.git.ask(fill).await?.code == 0)
}
