use super::*;

fn mount(at: &str, access: Access) -> Mount {
    Mount {
        from: at.into(),
        at: at.into(),
        access,
    }
}

fn wrapper(root: Root, network: Network) -> String {
    let sandbox = Sandbox {
        program: "/usr/bin/bwrap".into(),
        root,
    };
    let mut boundary = Boundary::default();
    boundary.network = network;
    boundary.mounts = vec![
        mount("/home/a user", Access::Empty),
        mount("/home/a user/.cargo/bin", Access::Read),
        mount("/home/a user/x/credentials", Access::Nothing),
        mount("/work", Access::Write),
    ];
    let words = sandbox.wrapper(&boundary, Path::new("/work/a b"));
    assert_eq!(words.last().map(String::as_str), Some("--"));
    // A path with spaces is one word.
    assert!(words.contains(&"/home/a user/.cargo/bin".to_owned()));
    words.join(" ")
}

#[test]
fn the_command_line_says_what_the_boundary_says() {
    let line = wrapper(Root::No, Network::On);
    for part in [
        "/usr/bin/bwrap --unshare-pid",
        "--ro-bind / / --dev /dev --proc /proc",
        "--perms 0700 --tmpfs /home/a user --ro-bind /home/a user/.cargo/bin /home/a user/.cargo/bin",
        "--ro-bind /dev/null /home/a user/x/credentials --bind /work /work",
        "--unsetenv SSH_AUTH_SOCK",
        "--chdir /work/a b --",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(
        !line.contains("--unshare-net") && !line.contains("--cap-drop"),
        "{line}"
    );
    assert!(wrapper(Root::No, Network::Off).contains("--unshare-net"));
    assert!(wrapper(Root::Yes, Network::On).contains("--cap-drop ALL"));
}

#[test]
fn a_refusal_of_the_system_is_explained() {
    let said = "bwrap: No permissions to create new namespace, likely because the kernel does \
                not allow non-privileged user namespaces.";
    let words = why_not(said);
    assert!(
        words.contains(said) && words.contains("user namespaces"),
        "{words}"
    );
    let words = why_not("bwrap: Can't mount proc on /newroot/proc: Operation not permitted");
    assert!(words.contains("container"), "{words}");
}

#[test]
fn known_folders_hold_no_known_secrets() {
    let secret = [
        ".ssh",
        ".aws",
        ".npmrc",
        ".netrc",
        ".config",
        ".gnupg",
        ".docker",
        ".kube",
        ".cargo",
        ".cargo/credentials.toml",
        ".m2",
        ".gradle",
        ".local/share",
        ".local/share/keyrings",
        ".local/share/uv",
        ".cache",
        ".dotnet",
        ".config/gh",
        ".git-credentials",
        ".pypirc",
        ".bun",
        ".deno",
        ".julia",
        ".local",
        "go",
    ];
    for (shown, _) in list::OF_HOME {
        assert!(!shown.is_empty() && !shown.starts_with('/'), "{shown}");
        for hidden in secret {
            assert!(
                !Path::new(hidden).starts_with(shown),
                "{shown} would show {hidden}"
            );
        }
    }
}
