//! Settings: shown, and changed at once.

use protocol::{ApiError, Setting, SettingChange, SettingList, SettingsRequest};

use crate::api::Api;

pub(crate) async fn settings(
    api: &Api,
    _request: SettingsRequest,
) -> Result<SettingList, ApiError> {
    Ok(SettingList {
        settings: api.inner.settings.all()?,
    })
}

pub(crate) async fn setting(api: &Api, request: SettingChange) -> Result<Setting, ApiError> {
    let working = api.working()?;
    let changed = api
        .inner
        .settings
        .change(working, &request.name, &request.value);
    changed.await
}
