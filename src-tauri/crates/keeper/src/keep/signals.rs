//! What a command inherits of signals.
//!
//! `unsafe`, because rustix offers no way to set what a signal does.
#![allow(unsafe_code)]

/// Has the signals a person or a terminal sends do what they do by default. A daemon that
/// was started in a shell's background, or under `nohup`, ignores them, hands that down
/// through every exec, and a shell cannot trap what was ignored when it began: an
/// interrupt would never reach the command.
pub(super) fn take_defaults() {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM] {
        // SAFETY: SIG_DFL is not a handler; no code of ours runs in it.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
