//! What is the same of every gateway here.

/// The type of a tape gateway.
pub(super) const TYPE: &str = "VTL";

/// The id in a gateway's ARN, which is its name too.
pub(super) fn id(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}
