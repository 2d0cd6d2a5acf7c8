//! Why a run waits, stopped or failed, and how a call ended: closed sets of words.

use serde::{Deserialize, Serialize};

use crate::task::word_enum;

word_enum! {
    /// Why a run stands in the queue.
    QueueReason {
        /// It was just made.
        New = "new",
        /// The user resumed it.
        Resumed = "resumed",
        /// It goes on by itself after a restart.
        Restarted = "restarted",
        /// It worked for its chunk of time and others waited.
        Yielded = "yielded",
        /// What it waited for is over.
        Woken = "woken",
    }
}

word_enum! {
    /// Why no operation can proceed.
    WaitCause {
        /// A person must decide.
        Review = "review",
        /// The credential is paused.
        RateLimit = "rate_limit",
        /// A cap is reached.
        Budget = "budget",
        /// The credential does not work.
        Auth = "auth",
        /// Another run holds the files.
        Lock = "lock",
        /// Its time has not come.
        Schedule = "schedule",
        /// No network.
        Offline = "offline",
        /// Another run must complete first.
        Dependency = "dependency",
        /// Not enough memory or disk.
        Memory = "memory",
    }
}

word_enum! {
    /// Why a run was stopped without the user's wish.
    InterruptCause {
        /// The daemon died.
        DaemonDied = "daemon_died",
        /// The machine was restarted.
        Reboot = "reboot",
        /// The daemon was stopped or replaced.
        Shutdown = "shutdown",
        /// Nothing was heard for too long.
        Stalled = "stalled",
        /// The agent's process ended without a result.
        AgentDied = "agent_died",
        /// Nobody answered a review in time.
        Unanswered = "unanswered",
    }
}

word_enum! {
    /// Why a run failed.
    FailCause {
        /// The backend kept failing.
        Backend = "backend",
        /// The request can never succeed as it is.
        BadRequest = "bad_request",
        /// The provider's spend limit is reached.
        SpendLimit = "spend_limit",
        /// The longest allowed wait is over.
        MaxWait = "max_wait",
        /// The model declined the task.
        Refused = "refused",
        /// A budget's review was answered with `end`.
        BudgetEnded = "budget_ended",
        /// The verify command still fails.
        Verify = "verify",
        /// The workspace could not be made or used.
        Workspace = "workspace",
        /// Stopped by a review's answer.
        Review = "review",
        /// The run it depends on did not complete.
        Dependency = "dependency",
        /// The agent ended with an error.
        Agent = "agent",
    }
}

word_enum! {
    /// How an agent's call to its model ended.
    CallEnd {
        /// It was answered to the end.
        Answered = "answered",
        /// Its server refused it: nothing was answered.
        Refused = "refused",
        /// Its server could not be reached.
        Unreached = "unreached",
        /// The connection was cut, or the answer ended early.
        Cut = "cut",
        /// Nothing came for too long.
        Silent = "silent",
        /// The agent hung up.
        HungUp = "hung_up",
        /// Longhaul ended it: the agent's turn was over.
        Closed = "closed",
        /// Longhaul's background service ended meanwhile.
        Lost = "lost",
    }
}
