//! Crash points and sabotage switches, for tests that need a process to die at
//! an exact line or an invariant to be switched off on purpose.
//!
//! Both are read once from the environment of a debug build; in a release build
//! every function here is an empty constant.

#[cfg(debug_assertions)]
#[allow(clippy::disallowed_methods)] // the switches are environment variables by purpose
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        name: String,
        left: AtomicU64,
    }

    fn plan() -> Option<&'static Plan> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        PLAN.get_or_init(|| {
            let text = std::env::var("LONGHAUL_CRASH_AT").ok()?;
            let (name, nth) = text.split_once('#').unwrap_or((&text, "1"));
            Some(Plan {
                name: name.to_owned(),
                left: AtomicU64::new(nth.parse().unwrap_or(1)),
            })
        })
        .as_ref()
    }

    pub(super) fn reached(name: &str) {
        let Some(plan) = plan() else { return };
        if plan.name == name && plan.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // SIGKILL, not exit: no destructor, no flush, as in a real crash.
            let _ = std::process::Command::new("kill")
                .args(["-9", &std::process::id().to_string()])
                .status();
            std::process::abort();
        }
    }

    pub(super) fn sabotaged(name: &str) -> bool {
        static SWITCHES: OnceLock<Vec<String>> = OnceLock::new();
        SWITCHES
            .get_or_init(|| {
                std::env::var("LONGHAUL_SABOTAGE")
                    .map(|v| v.split(',').map(str::to_owned).collect())
                    .unwrap_or_default()
            })
            .iter()
            .any(|s| s == name)
    }
}

/// Kills this process with SIGKILL when `LONGHAUL_CRASH_AT` is `name` (or
/// `name#n`: at the n-th time the point is reached).
#[inline]
pub fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    armed::reached(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Whether `LONGHAUL_SABOTAGE` (a comma-separated list) names this invariant to
/// be broken. The crash campaign must fail with each of them on.
#[inline]
pub fn sabotaged(name: &str) -> bool {
    #[cfg(debug_assertions)]
    return armed::sabotaged(name);
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}
