//! Ways out of a workspace that were thought of, as an agent would type them.

/// One way, by its name.
pub(super) struct Attempt {
    pub(super) name: &'static str,
    /// Ends with 0 only if it got what it wanted. `{P}` is the user's repository, `{H}`
    /// their home, `{E}` another folder of theirs, `{L}` Longhaul's home, `{R}` the
    /// session's folder for sockets, `{B}` the program, `{D}` the daemon's number, `{V}`
    /// an open review.
    pub(super) command: &'static str,
    pub(super) then: Then,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The command fails.
    Refused,
    /// The command may succeed: what it changed was its own.
    Harmless,
}

const fn refused(name: &'static str, command: &'static str) -> Attempt {
    let then = Then::Refused;
    Attempt {
        name,
        command,
        then,
    }
}

const fn harmless(name: &'static str, command: &'static str) -> Attempt {
    let then = Then::Harmless;
    Attempt {
        name,
        command,
        then,
    }
}

/// What a command that is left in the background is found by.
pub(super) const LEFT_BEHIND: &str = "97531";

pub(super) const ATTEMPTS: &[Attempt] = &[
    // The user's home.
    harmless(
        "shell start file",
        "echo evil >> {H}/.bashrc; echo evil >> ~/.profile",
    ),
    harmless(
        "authorized keys",
        "mkdir -p ~/.ssh && echo evil >> ~/.ssh/authorized_keys",
    ),
    harmless(
        "autostart",
        "mkdir -p ~/.config/autostart && echo '[Desktop Entry]' > ~/.config/autostart/e.desktop",
    ),
    refused("ssh key", "cat {H}/.ssh/id_test"),
    refused(
        "cloud keys",
        "cat ~/.aws/credentials ~/.config/gh/hosts.yml",
    ),
    refused(
        "registry tokens",
        "cat ~/.cargo/credentials.toml || cat ~/.npmrc || cat ~/.netrc",
    ),
    refused(
        "program of the user's",
        "echo evil > ~/.cargo/bin/users-tool",
    ),
    harmless(
        "global git settings",
        "git config --global core.hooksPath {E}",
    ),
    // The user's repository.
    refused("file of the project", "echo evil >> {P}/calc.sh"),
    refused(
        "hook in the repository",
        "echo evil > {P}/.git/hooks/post-checkout",
    ),
    refused(
        "settings of the repository",
        "git -C {P} config core.fsmonitor evil",
    ),
    refused(
        "GIT_DIR",
        "GIT_DIR={P}/.git git -c user.name=e -c user.email=e@e commit --allow-empty -m evil",
    ),
    refused(
        "GIT_WORK_TREE",
        "GIT_DIR={P}/.git GIT_WORK_TREE={P} git reset --hard HEAD",
    ),
    refused(
        "GIT_INDEX_FILE",
        "GIT_INDEX_FILE={P}/.git/index git add --all",
    ),
    refused(
        "GIT_OBJECT_DIRECTORY",
        "echo evil | GIT_OBJECT_DIRECTORY={P}/.git/objects git hash-object -w --stdin",
    ),
    refused(
        "delete a branch",
        "git --git-dir={P}/.git update-ref -d refs/heads/main",
    ),
    refused("push", "git push {P} HEAD:refs/heads/evil"),
    refused(
        "linked worktree",
        "git --git-dir={P}/.git worktree add ../evil",
    ),
    refused(
        "core.hooksPath",
        "mkdir -p h && printf '#!/bin/sh\\necho evil > {E}/hooked' > h/pre-commit && \
         chmod +x h/pre-commit && git -c core.hooksPath=$PWD/h commit --allow-empty -qm x; \
         rm -r h; test -e {E}/hooked",
    ),
    refused(
        "object lent to the clone",
        "cd \"$(cat .git/objects/info/alternates)\" && f=$(find . -name '*.pack' | head -1) && \
         chmod u+w \"$f\"; echo evil > \"$f\"",
    ),
    harmless(
        "objects of the clone",
        "find .git/objects -type f -exec chmod u+w {} + ; \
         for f in $(find .git/objects -name '*.pack'); do echo evil > $f; done",
    ),
    // Names that lead somewhere else.
    refused("symbolic link", "ln -s {E}/precious way && echo evil > way"),
    refused("link to a folder", "ln -s {E} out && echo evil > out/new"),
    refused("hard link", "ln {E}/precious hard && echo evil > hard"),
    refused(
        "hard link to the repository",
        "ln {P}/calc.sh hard && echo evil > hard",
    ),
    refused(
        "dots",
        "echo evil > ../../../../../../../../../../etc/longhaul-escape",
    ),
    refused(
        "/proc/self/cwd",
        "echo evil > /proc/self/cwd/../../../../../../../../../etc/longhaul-escape",
    ),
    refused("/proc/self/root", "echo evil > /proc/self/root{E}/new"),
    refused("/proc/1/root", "echo evil > /proc/1/root{E}/new"),
    refused(
        "/proc/self/fd",
        "exec 3< {E}/precious && echo evil > /proc/self/fd/3",
    ),
    refused(
        "descriptors of the first process",
        "ls /proc/1/fd/ | grep . && cat /proc/1/environ | grep .",
    ),
    refused("FIFO outside", "mkfifo {E}/pipe"),
    refused(
        "archive with absolute names",
        "echo evil > x && tar -cPf a.tar --transform 's,^x$,{E}/unpacked,' x && tar -xPf a.tar; \
         rm -f x a.tar; test -e {E}/unpacked",
    ),
    refused(
        "archive with dots",
        "echo evil > x && tar -cPf a.tar --transform 's,^x$,../../../../../../../../..{E}/dots,' x \
         && tar -xPf a.tar; rm -f x a.tar; test -e {E}/dots",
    ),
    // The system.
    refused("/etc", "echo evil > /etc/longhaul-escape"),
    refused("remount", "mount -o remount,rw / && echo evil > {E}/new"),
    refused("bind mount", "mount --bind . {E}"),
    refused("uncover the home", "umount {H} && cat {H}/.ssh/id_test"),
    refused("uncover /run", "umount /run && ls /run/dbus"),
    refused("chroot", "chroot /proc/1/root /bin/true"),
    refused(
        "namespace of its own",
        "unshare -Urm sh -c 'mount -o remount,rw / && echo evil > {E}/new'",
    ),
    refused(
        "uncover in a namespace of its own",
        "unshare -Urm sh -c 'umount -l {H}; cat {H}/.ssh/id_test'",
    ),
    refused("nsenter", "nsenter -t 1 -m -p touch {E}/new"),
    refused("device node", "mknod disk b 259 0 || mknod disk b 8 0"),
    refused(
        "disk",
        "head -c 1 /dev/vda || head -c 1 /dev/sda || head -c 1 /dev/nvme0n1",
    ),
    // Its own value: should it get through, nothing is broken.
    refused(
        "kernel's crash program",
        "v=$(cat /proc/sys/kernel/core_pattern) && echo \"$v\" > /proc/sys/kernel/core_pattern",
    ),
    refused(
        "kernel settings",
        "v=$(cat /sys/kernel/mm/transparent_hugepage/enabled | grep -o '\\[.*\\]' | tr -d '[]') && echo \"$v\" > /sys/kernel/mm/transparent_hugepage/enabled",
    ),
    refused("become root", "sudo -n true || su -c true root < /dev/null"),
    // Other processes.
    refused("kill the daemon", "kill -9 {D}"),
    harmless("kill all", "kill -9 -1"),
    refused(
        "kill the first process",
        "kill -9 1 && sleep 0.2 && test ! -d /proc/1",
    ),
    refused("memory of the daemon", "head -c 1 /proc/{D}/mem"),
    refused("environment of the daemon", "cat /proc/{D}/environ"),
    refused(
        "trace the daemon",
        "strace -p {D} -o /dev/null || gdb -batch -p {D}",
    ),
    harmless(
        "left in the background",
        "setsid sleep 97531 >/dev/null 2>&1 & (setsid nohup sleep 97531 >/dev/null 2>&1 &) ; true",
    ),
    // Somebody else's hands.
    refused(
        "Longhaul's sockets",
        "find {R} /run /var/run -type s 2>/dev/null | grep .",
    ),
    refused("read the journal", "head -c 15 {L}/state.db"),
    refused(
        "approve",
        "LONGHAUL_HOME={L} XDG_RUNTIME_DIR={R} {B} approve {V}",
    ),
    harmless(
        "write the journal",
        "mkdir -p {L} && echo evil > {L}/state.db",
    ),
    harmless(
        "Longhaul's settings",
        "mkdir -p {L}; echo 'sandbox = \"off\"' > {L}/config.toml",
    ),
    refused(
        "session bus",
        "DBUS_SESSION_BUS_ADDRESS=unix:path={R}/session-bus timeout 5 gdbus call --session --dest org.freedesktop.DBus --object-path / --method org.freedesktop.DBus.ListNames",
    ),
    refused(
        "keychain",
        "DBUS_SESSION_BUS_ADDRESS=unix:path={R}/session-bus timeout 5 secret-tool lookup service longhaul",
    ),
    refused("keyring's socket", "test -S {R}/keyring"),
    refused("crontab", "echo '* * * * * touch {E}/cron' | crontab -"),
    refused("at", "echo 'touch {E}/at' | at now"),
    refused(
        "systemd-run",
        "timeout 5 systemd-run --user touch {E}/unit || timeout 5 systemd-run touch {E}/unit",
    ),
    refused(
        "containers",
        "ls /run/docker.sock /var/run/docker.sock /run/containerd || docker ps",
    ),
    // What is left lying about.
    harmless(
        "/tmp",
        "echo evil > /tmp/longhaul-escape; echo evil > /var/tmp/longhaul-escape",
    ),
    harmless("shared memory", "echo evil > /dev/shm/longhaul-escape"),
    refused(
        "keys in the environment",
        "env | grep -e test-key-not-real -e DBUS_ -e SSH_A",
    ),
    harmless(
        "trap in the clone",
        "printf '#!/bin/sh\\necho evil > {E}/trapped\\ncat' > trap.sh && chmod +x trap.sh && \
         git config core.fsmonitor \"$PWD/trap.sh\" && git config core.hooksPath \"$PWD/hooks\" && \
         git config filter.t.clean \"$PWD/trap.sh\" && git config filter.t.smudge \"$PWD/trap.sh\" && \
         git config diff.external \"$PWD/trap.sh\" && git config core.sshCommand \"$PWD/trap.sh\" && \
         git config uploadpack.packObjectsHook \"$PWD/trap.sh\" && \
         echo '* filter=t diff=t' > .gitattributes && mkdir -p hooks && cp trap.sh hooks/post-checkout && \
         cp trap.sh hooks/reference-transaction && cp trap.sh hooks/post-index-change",
    ),
];
