use std::{slice, sync::Arc};

use super::{AccountId, GatewayArn, Operation, OperationKind, Region, Tag, TapeArn};

/// Adds tags to a tape that exists. A repeat changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddTagsToResource {
    /// The tape.
    pub tape: TapeArn,
    /// The tags, at least one.
    pub tags: Arc<[Tag]>,
}

impl Operation for AddTagsToResource {
    type Output = ();
    const NAME: &'static str = "AddTagsToResource";
    const KIND: OperationKind = OperationKind::Read;

    fn region(&self) -> &Region {
        self.tape.region()
    }

    fn account(&self) -> Option<&AccountId> {
        Some(self.tape.account())
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        None
    }

    fn tapes(&self) -> &[TapeArn] {
        slice::from_ref(&self.tape)
    }
}
