//! The offline tour.

use protocol::{ApiError, RehearsalRequest, RehearsalStarted};

use crate::api::Api;

pub(crate) async fn rehearsal(
    api: &Api,
    _request: RehearsalRequest,
) -> Result<RehearsalStarted, ApiError> {
    Box::pin(crate::rehearsal::begin(api)).await
}
