//! Writing what is asked of AWS: members that both creates, or all lists, share.

use aws_sdk_storagegateway::types::Tag as SdkTag;

use crate::domain::{Fault, PageRequest, Tag, TapeArn};

/// The tags; none are left out altogether.
pub(super) fn tags(tags: &[Tag]) -> Result<Option<Vec<SdkTag>>, Fault> {
    let tag = |tag: &Tag| {
        SdkTag::builder()
            .key(tag.key.as_str())
            .value(tag.value.as_str())
            .build()
    };
    let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>();
    let tags = tags.map_err(|error| Fault::Internal {
        cause: error.to_string(),
    })?;
    Ok((!tags.is_empty()).then_some(tags))
}

/// The ARNs; none are left out altogether, which asks for all tapes.
pub(super) fn tape_arns(tapes: &[TapeArn]) -> Option<Vec<String>> {
    (!tapes.is_empty()).then(|| tapes.iter().map(ToString::to_string).collect())
}

/// The marker and the limit of a page.
pub(super) fn page(page: PageRequest) -> (Option<String>, Option<i32>) {
    let limit = page
        .limit
        .map(|limit| i32::try_from(limit.get()).unwrap_or(i32::MAX));
    (page.marker.map(String::from), limit)
}
