//! Builds, tests, linters and package managers.

use super::tools::{RUNNERS, TOOLS};
use super::{Look, is_delivery};
use crate::effect::{Effect, Found};
use crate::shell::Word;

impl Look<'_> {
    pub(super) fn build(&self, program: &str) -> Option<Vec<Found>> {
        Some(match program {
            "cargo" => self.cargo(),
            "npm" | "pnpm" | "yarn" | "bun" => self.node_packages(program),
            "npx" | "bunx" | "pnpx" | "uvx" | "pipx" | "dlx" => self.fetched_tool(),
            "pip" | "pip3" => self.pip(),
            "uv" | "poetry" | "pdm" | "pipenv" | "conda" | "mamba" => self.python_project(program),
            "go" => self.go(),
            "rustup" | "nvm" | "pyenv" | "rbenv" | "asdf" | "volta" | "fnm" | "sdk" => {
                match self.sub(0) {
                    "show" | "list" | "ls" | "which" | "current" | "version" | "versions" | "" => {
                        Vec::new()
                    }
                    _ => vec![self.found(Effect::InstallNew)],
                }
            }
            "gem" | "luarocks" | "cpan" | "cpanm" | "opam" | "nix-env" | "nix" | "vcpkg"
            | "conan" => match self.sub(0) {
                "list" | "search" | "info" | "show" => Vec::new(),
                "push" | "publish" => vec![self.found(Effect::Publish)],
                _ => vec![self.found(Effect::InstallNew)],
            },
            "twine" | "goreleaser" | "semantic-release" | "np" | "changeset" | "release-it"
            | "flit" => {
                vec![self.found(Effect::Publish)]
            }
            "deno" => match self.sub(0) {
                "test" | "fmt" | "lint" | "check" | "bench" | "doc" | "info" | "task" | "run"
                | "compile" => vec![self.found(Effect::Build)],
                "eval" => vec![self.found(Effect::Code)],
                _ => vec![self.found(Effect::InstallNew)],
            },
            "alembic" | "flyway" | "liquibase" | "dbmate" | "sqlx" | "diesel" | "knex"
            | "sequelize" | "typeorm" | "prisma" | "goose" => self.schema(),
            _ if RUNNERS.contains(&program) => self.runner(),
            _ if TOOLS.contains(&program) => vec![self.found(Effect::Build)],
            _ => return None,
        })
    }

    fn cargo(&self) -> Vec<Found> {
        let plain: Vec<&Word> = self
            .plain_args()
            .filter(|word| !word.text.starts_with('+'))
            .collect();
        let sub = plain
            .first()
            .and_then(|word| word.literal())
            .unwrap_or_default();
        if self.has(&["--config"]) {
            return vec![self.found(Effect::Sensitive)];
        }
        vec![self.found(match sub {
            "" | "tree" | "metadata" | "search" | "info" | "version" | "help"
            | "locate-project" | "pkgid" | "read-manifest" => return Vec::new(),
            "publish" | "yank" | "owner" => Effect::Publish,
            "login" | "logout" => Effect::Secrets,
            "install" | "add" | "binstall" => Effect::InstallNew,
            "update" | "fetch" | "vendor" | "generate-lockfile" | "remove" | "upgrade" => {
                Effect::InstallListed
            }
            "clean" => Effect::Delete,
            "release" | "dist" | "smart-release" => Effect::Publish,
            "new" | "init" | "fix" | "fmt" => Effect::Write,
            "xtask" => return vec![self.of_project(plain.get(1).map_or("", |word| &word.text))],
            _ => Effect::Build,
        })]
    }

    fn node_packages(&self, program: &str) -> Vec<Found> {
        let registry = self
            .args()
            .iter()
            .any(|word| word.text.starts_with("--registry") || word.text.starts_with("--//"));
        if registry {
            return vec![self.found(Effect::InstallNew)];
        }
        let (sub, more) = (self.sub(0), self.plain_args().nth(1).is_some());
        let effect = match sub {
            "test" | "t" | "tst" | "start" | "build" | "dev" | "lint" | "check" | "typecheck"
            | "format" | "fmt" => Effect::Build,
            "run" | "run-script" | "rum" => return vec![self.of_project(self.sub(1))],
            "ci" | "clean-install" => Effect::InstallListed,
            "install" | "i" | "add" | "link" if more => Effect::InstallNew,
            "install" | "i" | "dedupe" | "prune" | "rebuild" => Effect::InstallListed,
            "uninstall" | "remove" | "rm" | "un" | "update" | "upgrade" | "up" => {
                Effect::InstallListed
            }
            "publish" | "unpublish" | "deprecate" | "dist-tag" | "owner" | "access" | "team" => {
                Effect::Publish
            }
            "login" | "adduser" | "logout" | "token" | "whoami" | "profile" => Effect::Secrets,
            "config" | "set" if matches!(self.sub(1), "set" | "delete" | "edit") => {
                Effect::Sensitive
            }
            "exec" | "x" | "dlx" | "create" | "init" if more => Effect::InstallNew,
            "init" => Effect::Write,
            "ls" | "list" | "ll" | "la" | "outdated" | "view" | "info" | "why" | "explain"
            | "audit" | "fund" | "root" | "prefix" | "bin" | "help" | "config" | "get"
            | "doctor" | "pkg" | "licenses" | "search" | "version" | "-v" => return Vec::new(),
            "" if program == "yarn" => Effect::InstallListed,
            "" => return Vec::new(),
            // yarn and bun run scripts by their bare names.
            _ if program != "npm" => return vec![self.of_project(sub)],
            _ => Effect::Unknown,
        };
        vec![self.found(effect)]
    }

    /// Runs a tool: the project's own if it is a known one, else whatever is fetched.
    fn fetched_tool(&self) -> Vec<Found> {
        let with = ["-p", "--package", "--from", "-c", "--call"];
        let name = self.sub(0);
        let bare = name.split('@').next().unwrap_or_default();
        match !self.has(&with) && (TOOLS.contains(&bare)) && name == bare {
            true => vec![self.found(Effect::Build)],
            false if matches!(bare, "prisma" | "knex" | "sequelize" | "typeorm") => self.schema(),
            false => vec![self.found(Effect::InstallNew)],
        }
    }

    fn pip(&self) -> Vec<Found> {
        let elsewhere = [
            "-i",
            "--index-url",
            "--extra-index-url",
            "--trusted-host",
            "-f",
            "--find-links",
        ];
        // `python -m pip install …`: the words behind the module's name.
        let plain: Vec<&str> = self
            .plain_args()
            .map(|word| word.text.as_str())
            .skip_while(|word| *word == "pip")
            .collect();
        let sub = plain.first().copied().unwrap_or_default();
        match sub {
            "install" if self.has(&elsewhere) => vec![self.found(Effect::InstallNew)],
            "install" => {
                let listed = self.has(&["-r", "--requirement", "-e", "--editable"])
                    || plain.get(1).is_some_and(|word| word.starts_with('.'));
                let named = plain
                    .iter()
                    .skip(1)
                    .any(|word| !word.starts_with('.') && !word.ends_with(".txt"));
                let new =
                    !listed || (named && !self.has(&["-e", "--editable", "-r", "--requirement"]));
                vec![self.found(if new {
                    Effect::InstallNew
                } else {
                    Effect::InstallListed
                })]
            }
            "list" | "show" | "freeze" | "check" | "help" | "debug" | "inspect" | "" => Vec::new(),
            "uninstall" => vec![self.found(Effect::InstallListed)],
            _ => vec![self.found(Effect::InstallNew)],
        }
    }

    fn python_project(&self, program: &str) -> Vec<Found> {
        let sub = self.sub(0);
        vec![self.found(match sub {
            "run" => {
                let inner = self.sub(1);
                return match is_delivery(inner) {
                    true => vec![self.found(Effect::Publish)],
                    false if matches!(inner, "python" | "python3") && self.has(&["-c"]) => {
                        vec![self.found(Effect::Code)]
                    }
                    false => vec![self.found(Effect::Build)],
                };
            }
            "sync" | "lock" | "install"
                if program != "conda" && program != "mamba" && self.plain_args().count() < 2 =>
            {
                Effect::InstallListed
            }
            "publish" => Effect::Publish,
            "build" | "check" | "test" | "fmt" | "format" | "lint" | "venv" | "shell" | "env" => {
                Effect::Build
            }
            "pip" if matches!(self.sub(1), "list" | "show" | "freeze" | "check" | "tree") => {
                return Vec::new();
            }
            "pip" if self.sub(1) == "install" && self.has(&["-r", "-e"]) => Effect::InstallListed,
            "tree" | "show" | "list" | "version" | "info" | "" | "search" | "python" | "export"
            | "about" => return Vec::new(),
            "remove" | "update" => Effect::InstallListed,
            "config" | "auth" | "login" | "token" => Effect::Secrets,
            _ => Effect::InstallNew,
        })]
    }

    fn go(&self) -> Vec<Found> {
        if self.has(&["-toolexec", "-exec", "-overlay", "-vettool"]) {
            return vec![self.found(Effect::Code)];
        }
        vec![self.found(match (self.sub(0), self.sub(1)) {
            ("version" | "list" | "doc" | "help" | "", _) => return Vec::new(),
            ("env", _) if self.has(&["-w", "-u"]) => Effect::Sensitive,
            ("env", _) => return Vec::new(),
            ("mod", "graph" | "why" | "verify") => return Vec::new(),
            ("mod", "tidy" | "download" | "vendor") => Effect::InstallListed,
            ("get" | "install", _) => Effect::InstallNew,
            ("clean", _) => Effect::Delete,
            ("run", module) if module.contains('@') => Effect::InstallNew,
            _ => Effect::Build,
        })]
    }

    fn runner(&self) -> Vec<Found> {
        let targets: Vec<&str> = self.plain_args().map(|word| word.text.as_str()).collect();
        let named = |names: &[&str]| targets.iter().any(|target| names.contains(target));
        // `make SHELL=…` and `make -f /elsewhere` make another program of it.
        let changed = self
            .args()
            .iter()
            .any(|word| word.text.starts_with("SHELL=") || word.text.starts_with("--eval"));
        let elsewhere = self.after(&[
            "-f",
            "--file",
            "-C",
            "--directory",
            "--makefile",
            "--justfile",
        ]);
        let elsewhere = elsewhere.is_some_and(|file| {
            !matches!(
                self.one.place.leads(&file.text, self.around),
                crate::shell::Leads::Inside(_)
            ) || !file.known
        });
        if changed || elsewhere {
            return vec![self.found(Effect::Code)];
        }
        if targets.iter().any(|target| is_delivery(target)) || named(&["push", "nuget"]) {
            return vec![self.found(Effect::Publish)];
        }
        if targets.iter().any(|target| {
            target.contains("migrat") || target.starts_with("db:") || *target == "ecto.migrate"
        }) {
            return vec![self.found(Effect::Migrate)];
        }
        match self.one.program() {
            "make" | "gmake" | "ninja" | "cmake"
                if named(&["install"]) || self.has(&["--install"]) =>
            {
                vec![self.found(Effect::Outside)]
            }
            "composer" | "bundle" | "dotnet" | "flutter" | "swift" | "dart"
                if named(&["require", "add"]) =>
            {
                vec![self.found(Effect::InstallNew)]
            }
            "composer" | "bundle" if named(&["install", "update"]) => {
                vec![self.found(Effect::InstallListed)]
            }
            _ => vec![self.found(Effect::Build)],
        }
    }

    fn schema(&self) -> Vec<Found> {
        let looks = [
            "status", "history", "current", "generate", "validate", "format", "info", "show",
            "heads", "check", "prepare",
        ];
        let plain: Vec<&str> = self.plain_args().map(|word| word.text.as_str()).collect();
        match plain.iter().any(|word| looks.contains(word)) {
            true => vec![self.found(Effect::Build)],
            false => vec![self.found(Effect::Migrate)],
        }
    }
}
