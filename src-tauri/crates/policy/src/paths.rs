//! What a path is to the project, by its name.

use std::path::Path;

use crate::effect::{Effect, Found};
use crate::shell::{Around, Invocation, Leads, Word};

/// Names of files and folders that hold secrets, wherever they lie.
const SECRETS: &[&str] = &[
    ".env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    "credentials",
    "credentials.toml",
    "credentials.json",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    ".ssh",
    ".aws",
    ".gnupg",
    ".kube",
    ".docker",
    "shadow",
    "gshadow",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    ".vault-token",
    "keyrings",
    "master.key",
    ".htpasswd",
    "environ",
    "service-account.json",
    "token",
    ".claude.json",
    "Cookies",
    "Login Data",
];

/// Endings of files that hold secrets.
const SECRET_ENDINGS: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".kdbx",
    ".jks",
    ".keystore",
    ".ppk",
    ".asc",
];

/// Files that look like secrets and are made to be shown.
const HARMLESS: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env.test",
];

/// Parts of paths that decide over others: CI, git's own folder, our rules.
const DECIDING: &[&str] = &[
    ".git",
    ".github",
    ".gitlab-ci.yml",
    ".circleci",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".drone.yml",
    ".buildkite",
    ".longhaul",
    ".husky",
    ".pre-commit-config.yaml",
    "CODEOWNERS",
    ".gitmodules",
    ".gitattributes",
    ".envrc",
    ".bashrc",
    ".zshrc",
    ".profile",
    ".bash_profile",
    "authorized_keys",
    "crontab",
];

/// Folders whose contents are schema changes.
const MIGRATIONS: &[&str] = &["migrations", "migrate", "db/migrate", "alembic"];

/// Devices that take or give nothing.
const NOTHING: &[&str] = &[
    "/dev/null",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/stdin",
    "/dev/zero",
    "/dev/tty",
    "-",
    "/dev/urandom",
    "/dev/random",
];

/// Folders of the system that everybody may read.
const PUBLIC: &[&str] = &[
    "/usr", "/etc", "/lib", "/bin", "/sbin", "/opt", "/proc", "/sys", "/dev", "/nix", "/tmp",
    "/var/log",
];

/// Folders that builds make and anybody may delete whole.
const MADE: &[&str] = &[
    "node_modules",
    "target",
    "dist",
    "build",
    "out",
    "coverage",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".next",
    ".nuxt",
    ".turbo",
    ".cache",
    ".parcel-cache",
    "tmp",
    "bin",
    "obj",
    ".venv",
    "venv",
    "htmlcov",
    ".nyc_output",
    ".tox",
    ".gradle",
    "_build",
    ".eggs",
    "vendor",
    "playwright-report",
    "test-results",
    "storybook-static",
    ".svelte-kit",
    ".output",
    "debug",
    "release",
];

/// Whether a path names a secret.
pub(crate) fn is_secret(path: &str) -> bool {
    let name = path
        .rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    if HARMLESS.contains(&name) {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let ends = SECRET_ENDINGS.iter().any(|end| lower.ends_with(end));
    let part = |part: &str| SECRETS.contains(&part) || part.starts_with(".env.");
    ends || path.split('/').any(part)
}

/// Whether a change to this path reaches beyond the task.
pub(crate) fn is_deciding(path: &str) -> bool {
    path.split('/')
        .any(|part| DECIDING.iter().any(|name| part.eq_ignore_ascii_case(name)))
}

/// Whether a path is a change of a database's schema.
pub(crate) fn is_migration(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    MIGRATIONS.iter().any(|name| {
        folder == *name
            || folder.ends_with(&format!("/{name}"))
            || folder.contains(&format!("{name}/"))
    })
}

/// What reading this word as a path means; nothing for one that says nothing.
pub(crate) fn read(word: &Word, one: &Invocation, around: Around<'_>) -> Option<Found> {
    let text = word.text.as_str();
    if NOTHING.contains(&text) || text.starts_with('-') {
        return None;
    }
    if text.starts_with("/dev/tcp/") || text.starts_with("/dev/udp/") {
        return Some(Found::at(Effect::NetworkWrite, text));
    }
    if is_secret(text) {
        return Some(Found::at(Effect::Secrets, text));
    }
    match one.place.leads(text, around) {
        Leads::Outside(path) if text.starts_with('~') => Some(Found::at(Effect::Outside, path)),
        Leads::Outside(path) => {
            let public = PUBLIC.iter().any(|top| Path::new(&path).starts_with(top));
            (!public && path.starts_with(['/', '.'])).then(|| Found::at(Effect::Outside, path))
        }
        _ => None,
    }
}

/// What changing the file this word names means.
pub(crate) fn write(word: &Word, one: &Invocation, around: Around<'_>) -> Option<Found> {
    let text = word.text.as_str();
    if NOTHING.contains(&text) {
        return None;
    }
    if text.starts_with("/dev/tcp/") || text.starts_with("/dev/udp/") {
        return Some(Found::at(Effect::NetworkWrite, text));
    }
    // Memory that programs share is no device.
    if text.starts_with("/dev/") && !text.starts_with("/dev/shm/") {
        return Some(Found::at(Effect::Ruin, text));
    }
    let inside = match one.place.leads(text, around) {
        Leads::Inside(path) => path.display().to_string(),
        Leads::Temp(_) if !word.known => {
            return Some(Found::at(Effect::Outside, format!("somewhere: {text}")));
        }
        Leads::Temp(path) => return Some(Found::at(Effect::Write, path.display().to_string())),
        Leads::Outside(path) => return Some(Found::at(Effect::Outside, path)),
        Leads::Unknown => return Some(Found::at(Effect::Outside, format!("somewhere: {text}"))),
    };
    if is_secret(&inside) || is_deciding(&inside) {
        return Some(Found::at(Effect::Sensitive, inside));
    }
    if is_migration(&inside) {
        return Some(Found::at(Effect::Migrate, inside));
    }
    if !word.known {
        // `$OUT/x` may be anywhere; `src/$name` stays where it begins.
        let begins = text.split('/').next().unwrap_or_default();
        if begins.contains('…') || text.contains("…/..") {
            return Some(Found::at(Effect::Outside, format!("somewhere: {text}")));
        }
    }
    Some(Found::at(Effect::Write, inside))
}

/// What deleting what this word names means.
pub(crate) fn delete(word: &Word, one: &Invocation, around: Around<'_>, whole: Whole) -> Found {
    let text = word.text.trim_end_matches('/');
    let bare = text.trim_end_matches("/*");
    if matches!(bare, "" | "~" | "/" | "…" | "*")
        && (text.starts_with(['/', '~']) || text.is_empty())
    {
        return Found::at(Effect::Ruin, word.text.as_str());
    }
    match write(word, one, around) {
        Some(found) if found.effect == Effect::Write => {
            let made = bare.split('/').any(|part| MADE.contains(&part));
            let products = text.rsplit('/').next().is_some_and(|name| {
                [
                    ".o",
                    ".pyc",
                    ".log",
                    ".tmp",
                    ".class",
                    ".orig",
                    ".rej",
                    ".bak",
                    ".swp",
                    ".gcda",
                    ".gcno",
                    ".profraw",
                    ".tsbuildinfo",
                ]
                .iter()
                .any(|end| name.len() > end.len() && name.ends_with(end) && name.starts_with(['*']))
            });
            let few = word.known && !word.glob && whole == Whole::Files;
            if (made && word.known) || few || (products && whole == Whole::Files) {
                Found::at(Effect::Delete, found.because)
            } else {
                Found::at(Effect::DeleteBulk, found.because)
            }
        }
        Some(found) => found,
        None => Found::at(Effect::Read, word.text.as_str()),
    }
}

/// What is deleted with one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Files it names.
    Files,
    /// Folders with all that is in them.
    Trees,
}
