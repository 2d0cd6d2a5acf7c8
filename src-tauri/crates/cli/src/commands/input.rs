//! Texts and folders as they are given.

use std::io::Read;
use std::path::{Path, PathBuf};

use protocol::MAX_PROMPT_BYTES;

use crate::context::Context;
use crate::failure::Failure;

/// The text itself, or standard input's for `-`.
pub(super) fn text(given: String, what: &str) -> Result<String, Failure> {
    if given == "-" {
        return check(read_all(std::io::stdin().lock())?, what);
    }
    check(given.into_bytes(), what)
}

/// Reads one byte more than is allowed: enough to know that it is too much.
fn read_all(reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_PROMPT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn check(bytes: Vec<u8>, what: &str) -> Result<String, Failure> {
    if bytes.len() > MAX_PROMPT_BYTES {
        return Err(Failure::usage(
            format!("the {what} is larger than {} KiB", MAX_PROMPT_BYTES / 1024),
            "put long texts into a file of the project and name the file",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::usage(
            format!("the {what} is not UTF-8 text (byte {at})"),
            "convert it, for example with `iconv -t UTF-8`",
        )
    })?;
    if text.trim().is_empty() {
        return Err(Failure::usage(
            format!("the {what} is empty"),
            "say what is to be done",
        ));
    }
    Ok(text)
}

/// The folder as an absolute path: the daemon stands somewhere else.
pub(super) fn folder(context: &Context, given: Option<&Path>) -> Result<String, Failure> {
    let path = given.map_or_else(|| context.cwd.clone(), |path| context.cwd.join(path));
    let shown = path.display().to_string();
    let real = path.canonicalize().map_err(|e| {
        Failure::usage(
            format!("the project {shown} cannot be opened: {e}"),
            "name an existing folder",
        )
    })?;
    if !real.is_dir() {
        return Err(Failure::usage(
            format!("{shown} is not a folder"),
            "name the project's folder",
        ));
    }
    utf8(real)
}

/// A file's absolute path.
pub(super) fn file(context: &Context, given: &Path) -> Result<String, Failure> {
    utf8(context.cwd.join(given))
}

fn utf8(path: PathBuf) -> Result<String, Failure> {
    path.into_os_string().into_string().map_err(|path| {
        Failure::usage(
            format!("the path {} is not UTF-8 text", path.to_string_lossy()),
            "rename it, or use another one",
        )
    })
}
