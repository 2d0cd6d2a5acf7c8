//! Links into the application: `longhaul://run/ID`, `longhaul://review/ID`. Anybody can
//! write one on a web page, so all a link does is show a place.

/// The longest id: a UUID with its hyphens.
const LONGEST_ID: usize = 36;

/// A place in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// What somebody must decide.
    Inbox,
    /// The form for a new run.
    NewRun,
    /// One run, by id or a prefix of it.
    Run(String),
    /// One review.
    Review(String),
}

impl Route {
    /// The path in the interface's router.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Inbox => "/inbox".to_owned(),
            Self::NewRun => "/new".to_owned(),
            Self::Run(id) => format!("/runs/{id}"),
            Self::Review(id) => format!("/inbox/{id}"),
        }
    }
}

/// Where a link leads; none for what is no link of ours.
pub(crate) fn route_of(link: &str) -> Option<Route> {
    let rest = link.strip_prefix("longhaul://")?.trim_end_matches('/');
    match rest.split_once('/') {
        Some(("run", id)) => is_id(id).then(|| Route::Run(id.to_owned())),
        Some(("review", id)) => is_id(id).then(|| Route::Review(id.to_owned())),
        None if rest == "inbox" => Some(Route::Inbox),
        None if rest == "new" => Some(Route::NewRun),
        _ => None,
    }
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_runs_and_reviews() {
        let id = "01990000-0000-7000-8000-000000000001";
        assert_eq!(
            route_of(&format!("longhaul://run/{id}")),
            Some(Route::Run(id.into()))
        );
        assert_eq!(
            route_of(&format!("longhaul://review/{id}/")).map(|route| route.path()),
            Some(format!("/inbox/{id}"))
        );
        assert_eq!(route_of("longhaul://inbox"), Some(Route::Inbox));
    }

    #[test]
    fn a_link_carries_an_id_and_nothing_else() {
        for link in [
            "longhaul://run/",
            "longhaul://run/../settings",
            "longhaul://run/0199?approve=1",
            "longhaul://run/0199#x",
            "longhaul://run/%30",
            "longhaul://approve/0199",
            "javascript:alert(1)",
        ] {
            assert_eq!(route_of(link), None, "{link}");
        }
        assert_eq!(
            route_of(&format!("longhaul://run/{}", "a".repeat(37))),
            None
        );
    }
}
