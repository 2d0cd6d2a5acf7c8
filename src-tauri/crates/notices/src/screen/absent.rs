//! Where this version has no notifications.

use protocol::{Notice, NoticeAction};

use super::ScreenError;

pub(super) enum Handle {}

impl Handle {
    pub(super) fn id(&self) -> u32 {
        match *self {}
    }

    pub(super) async fn close(&self) {
        match *self {}
    }

    pub(super) async fn clicked(&self, _: &Notice) -> Option<NoticeAction> {
        match *self {}
    }
}

pub(super) async fn show(_: &Notice, _: Option<u32>) -> Result<Handle, ScreenError> {
    let words = "this version shows none on this system";
    Err(ScreenError::Refused(words.to_owned()))
}
