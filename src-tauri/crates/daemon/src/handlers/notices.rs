//! Notices: the desktop application shows them while it runs.

use protocol::{ApiError, NoticeActRequest, NoticeActed, Notices, NoticesRequest};

use crate::api::Api;
use crate::notifier;

/// Longest name of a holder, in bytes.
const LONGEST_HOLDER: usize = 100;

pub(crate) async fn notices(api: &Api, request: NoticesRequest) -> Result<Notices, ApiError> {
    if request.holder.is_empty() || request.holder.len() > LONGEST_HOLDER {
        return Err(ApiError::usage(
            format!("a holder's name has 1 to {LONGEST_HOLDER} bytes"),
            "name the caller, the same in each call",
        ));
    }
    let notifier = &api.working()?.notifier;
    notifier.call(api, request).await
}

pub(crate) async fn notice_act(
    api: &Api,
    request: NoticeActRequest,
) -> Result<NoticeActed, ApiError> {
    notifier::act(api, request).await
}
