//! What of a user's home commands see, as data: everything else of it is hidden.
//!
//! The rule for an entry: programs and what they need to run, or contents that can be
//! fetched again; never a folder in which a program keeps keys, tokens or passwords.

use super::Access;

/// Below the home.
pub(super) const OF_HOME: &[(&str, Access)] = &[
    // Where installers put programs; what a user wrote for themselves.
    (".local/bin", Access::Read),
    ("bin", Access::Read),
    // Packages of `pip install --user`.
    (".local/lib", Access::Read),
    // Programs installed by pipx, in both places it used.
    (".local/pipx", Access::Read),
    (".local/share/pipx", Access::Read),
    // Pythons and tools of uv. Not the folder above: `credentials` is in it.
    (".local/share/uv/python", Access::Read),
    (".local/share/uv/tools", Access::Read),
    (".local/share/mise/installs", Access::Read),
    (".local/share/mise/shims", Access::Read),
    (".local/share/fnm", Access::Read),
    (".asdf", Access::Read),
    // Rust: toolchains and installed programs. Not `.cargo` itself: `credentials.toml`.
    (".rustup", Access::Read),
    (".cargo/bin", Access::Read),
    (".cargo/env", Access::Read),
    // Node: versions, and what was installed for all projects. Not `.npmrc`: tokens.
    (".nvm", Access::Read),
    (".volta", Access::Read),
    (".npm-global", Access::Read),
    (".bun/bin", Access::Read),
    (".deno/bin", Access::Read),
    (".local/share/pnpm", Access::Read),
    // Python and Ruby versions.
    (".pyenv", Access::Read),
    (".rbenv", Access::Read),
    (".rvm", Access::Read),
    // Go: installed programs and downloaded toolchains.
    ("go/bin", Access::Read),
    ("sdk", Access::Read),
    // Java and its build tools. Not `.m2` or `.gradle` itself: passwords.
    (".sdkman", Access::Read),
    (".jdks", Access::Read),
    (".gradle/wrapper", Access::Read),
    // .NET by its parts: certificates with keys are beside them.
    (".dotnet/dotnet", Access::Read),
    (".dotnet/host", Access::Read),
    (".dotnet/sdk", Access::Read),
    (".dotnet/shared", Access::Read),
    (".juliaup", Access::Read),
    (".julia/juliaup", Access::Read),
    (".ghcup", Access::Read),
    (".opam", Access::Read),
    (".elan", Access::Read),
    (".nix-profile", Access::Read),
    // Browsers for tests.
    (".cache/ms-playwright", Access::Read),
    (".cache/puppeteer", Access::Read),
    (".cache/Cypress", Access::Read),
    // Caches. Writing them is what makes a second install fast; each can be
    // deleted and fetched again.
    (".cargo/registry", Access::Write),
    (".cargo/git", Access::Write),
    // Cargo's lock on the two: without it two of them would write at once.
    (".cargo/.package-cache", Access::Write),
    (".cargo/.package-cache-mutate", Access::Write),
    (".npm", Access::Write),
    (".cache/yarn", Access::Write),
    (".cache/pnpm", Access::Write),
    (".cache/node-gyp", Access::Write),
    (".bun/install/cache", Access::Write),
    (".cache/deno", Access::Write),
    (".cache/pip", Access::Write),
    (".cache/uv", Access::Write),
    (".cache/pypoetry/cache", Access::Write),
    (".cache/go-build", Access::Write),
    ("go/pkg", Access::Write),
    (".m2/repository", Access::Write),
    (".gradle/caches", Access::Write),
    (".nuget/packages", Access::Write),
    (".cache/composer", Access::Write),
    (".cache/ccache", Access::Write),
    (".ccache", Access::Write),
    (".cache/sccache", Access::Write),
];

/// Settings that are shown if nothing in them looks like a secret.
pub(super) const SETTINGS: &[&str] = &[
    // Linkers, mirrors and flags, without which a build is another one.
    ".cargo/config.toml",
    ".cargo/config",
];

/// Words by which a settings file is taken to hold a secret.
pub(super) const SECRET_WORDS: &[&str] = &["token", "password", "passwd", "secret", "_auth", "@"];

/// Folders a variable of the environment names, wherever they are: what below them is
/// seen, and how. An empty name is the folder itself.
pub(super) const BY_VARIABLE: &[(&str, &[(&str, Access)])] = &[
    (
        "CARGO_HOME",
        &[
            ("bin", Access::Read),
            ("registry", Access::Write),
            ("git", Access::Write),
            (".package-cache", Access::Write),
            (".package-cache-mutate", Access::Write),
            // Outside the home it would be in sight.
            ("credentials.toml", Access::Nothing),
            ("credentials", Access::Nothing),
        ],
    ),
    ("RUSTUP_HOME", &[("", Access::Read)]),
    ("GOPATH", &[("bin", Access::Read), ("pkg", Access::Write)]),
    ("GOCACHE", &[("", Access::Write)]),
    ("JAVA_HOME", &[("", Access::Read)]),
    ("NVM_DIR", &[("", Access::Read)]),
    ("PYENV_ROOT", &[("", Access::Read)]),
];

/// Below `/run`, which is otherwise empty: sockets of containers, of the system's
/// services and of the user's session are in it.
pub(super) const OF_RUN: &[&str] = &[
    // Where `/etc/resolv.conf` may lead to.
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    // NixOS: the system's programs.
    "/run/current-system",
    "/run/opengl-driver",
];

/// Variables that lead to a session's sockets or aim git at another repository. What
/// commands get is an explicit list already; a setting must not undo this.
pub(super) const NOT_PASSED_ON: &[&str] = &[
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "GNOME_KEYRING_CONTROL",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
];

/// What git runs, or takes its settings from, in the `.git` of a project that is worked on
/// in place: it stays as it is.
pub(super) const OF_GIT: &[&str] = &["hooks", "config", "modules", "worktrees"];

/// Files in it that git goes by where they are there: absent, a command could make them.
/// So they are made, with contents that say what their absence says, and stay as they are.
/// `commondir` names the folder with the settings and hooks (gitrepository-layout(5)).
pub(super) const OF_GIT_MADE: &[(&str, &str)] = &[("commondir", ".\n"), ("config.worktree", "")];
