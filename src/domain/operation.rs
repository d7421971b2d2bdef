use std::{fmt, hash::Hash, sync::Arc};

use super::{
    AccountId, Barcode, BarcodePrefix, ClientToken, Encryption, GatewayArn, Page, PageRequest, Pool, Region,
    Row, Scope, Tag, Tape, TapeArchive, TapeArn, TapeInfo, TapeSize,
};

/// One operation of the API with its arguments: what a [`Call`](super::Call) asks for.
pub trait Operation: Clone + Eq + Hash + Send + Sync + 'static {
    /// What a successful call answers.
    type Output: Clone + fmt::Debug + Send + Sync + 'static;

    /// The operation's name in the API.
    const NAME: &'static str;

    /// What a call of it does.
    const KIND: OperationKind;

    /// The region that the call goes to.
    fn region(&self) -> &Region;

    /// The account whose tapes it is about, where the call says so.
    fn account(&self) -> Option<&AccountId>;

    /// The gateway that the call names.
    fn gateway(&self) -> Option<&GatewayArn>;

    /// The tapes that the call names.
    fn tapes(&self) -> &[TapeArn];

    /// The tapes that the call makes; `None` for a read.
    fn new_tapes(&self) -> Option<NewTapes<'_>> {
        None
    }

    /// The tape that the call makes, where its ARN is known beforehand.
    fn creates(&self) -> Option<TapeArn> {
        None
    }

    /// What a create's tapes can be found by when its answer was lost; empty for a read.
    fn trace(&self) -> String;
}

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// It changes nothing, and may be dropped at any moment.
    Read,
    /// It makes tapes: once sent, it has to end.
    Create,
}

/// The tapes that a call makes.
#[derive(Clone, Copy, Debug)]
pub struct NewTapes<'a> {
    /// What is the same for each.
    pub tape: &'a NewTape,
    /// How many.
    pub count: u8,
    /// What they are called.
    pub label: Label<'a>,
}

/// What new tapes are called.
#[derive(Clone, Copy, Debug)]
pub enum Label<'a> {
    /// The one of them has this barcode.
    Barcode(&'a Barcode),
    /// Their barcodes begin with this.
    Prefix(&'a BarcodePrefix),
}

/// An operation that answers in pages.
pub trait Listing: Operation<Output = Page<Self::Row>> {
    /// What a page holds.
    type Row: Row;

    /// Whether it is decided tape by tape what a caller sees of it. Otherwise who may have the
    /// list sees all of it.
    const IS_FILTERED: bool;

    /// The same list, at another page.
    #[must_use]
    fn at(&self, page: PageRequest) -> Self;
}

/// Creates one tape with a barcode of the caller's choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTapeWithBarcode {
    /// The barcode, never free again once taken.
    pub barcode: Barcode,
    /// All that it shares with CreateTapes.
    pub tape: NewTape,
}

/// Creates one to ten tapes with barcodes that AWS makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTapes {
    /// What makes the call safe to repeat.
    pub client_token: ClientToken,
    /// How many tapes, 1–10.
    pub count: u8,
    /// What the barcodes begin with.
    pub prefix: BarcodePrefix,
    /// All that it shares with CreateTapeWithBarcode.
    pub tape: NewTape,
}

/// What both creates say of a tape. `None` is left out upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewTape {
    /// The gateway whose library gets the tape.
    pub gateway: GatewayArn,
    /// Its capacity.
    pub size: TapeSize,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Where it is archived to.
    pub pool: Option<Pool>,
    /// Write once, read many.
    pub worm: Option<bool>,
    /// Its labels.
    pub tags: Arc<[Tag]>,
}

/// Describes tapes in the archive of an account and region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTapeArchives {
    /// Whose archive.
    pub scope: Scope,
    /// Which tapes; none means all.
    pub tapes: Arc<[TapeArn]>,
    /// Which page of them.
    pub page: PageRequest,
}

/// Describes tapes in the library of one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTapes {
    /// Whose library.
    pub gateway: GatewayArn,
    /// Which tapes; none means all.
    pub tapes: Arc<[TapeArn]>,
    /// Which page of them.
    pub page: PageRequest,
}

/// Lists the tapes of an account and region, in library and archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListTapes {
    /// Whose tapes.
    pub scope: Scope,
    /// Which tapes; none means all.
    pub tapes: Arc<[TapeArn]>,
    /// Which page of them.
    pub page: PageRequest,
}

/// What CreateTapeWithBarcode answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTape {
    /// Never empty.
    pub tape_arn: String,
}

/// What CreateTapes answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTapes {
    /// At least one, none empty.
    pub tape_arns: Vec<String>,
}

impl Operation for CreateTapeWithBarcode {
    type Output = CreatedTape;
    const NAME: &'static str = "CreateTapeWithBarcode";
    const KIND: OperationKind = OperationKind::Create;

    fn region(&self) -> &Region {
        self.tape.gateway.region()
    }

    fn account(&self) -> Option<&AccountId> {
        Some(self.tape.gateway.account())
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        Some(&self.tape.gateway)
    }

    fn tapes(&self) -> &[TapeArn] {
        &[]
    }

    fn new_tapes(&self) -> Option<NewTapes<'_>> {
        Some(NewTapes {
            tape: &self.tape,
            count: 1,
            label: Label::Barcode(&self.barcode),
        })
    }

    fn creates(&self) -> Option<TapeArn> {
        Some(self.tape.gateway.tape(&self.barcode))
    }

    fn trace(&self) -> String {
        format!("barcode {}", self.barcode)
    }
}

impl Operation for CreateTapes {
    type Output = CreatedTapes;
    const NAME: &'static str = "CreateTapes";
    const KIND: OperationKind = OperationKind::Create;

    fn region(&self) -> &Region {
        self.tape.gateway.region()
    }

    fn account(&self) -> Option<&AccountId> {
        Some(self.tape.gateway.account())
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        Some(&self.tape.gateway)
    }

    fn tapes(&self) -> &[TapeArn] {
        &[]
    }

    fn new_tapes(&self) -> Option<NewTapes<'_>> {
        Some(NewTapes {
            tape: &self.tape,
            count: self.count,
            label: Label::Prefix(&self.prefix),
        })
    }

    fn trace(&self) -> String {
        format!(
            "prefix {}, client token {}",
            self.prefix.as_str(),
            self.client_token.as_str()
        )
    }
}

impl Operation for DescribeTapeArchives {
    type Output = Page<TapeArchive>;
    const NAME: &'static str = "DescribeTapeArchives";
    const KIND: OperationKind = OperationKind::Read;

    fn region(&self) -> &Region {
        &self.scope.region
    }

    fn account(&self) -> Option<&AccountId> {
        self.scope.account.as_ref()
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        None
    }

    fn tapes(&self) -> &[TapeArn] {
        &self.tapes
    }

    fn trace(&self) -> String {
        String::new()
    }
}

impl Listing for DescribeTapeArchives {
    type Row = TapeArchive;
    const IS_FILTERED: bool = true;

    fn at(&self, page: PageRequest) -> Self {
        Self { page, ..self.clone() }
    }
}

impl Operation for DescribeTapes {
    type Output = Page<Tape>;
    const NAME: &'static str = "DescribeTapes";
    const KIND: OperationKind = OperationKind::Read;

    fn region(&self) -> &Region {
        self.gateway.region()
    }

    fn account(&self) -> Option<&AccountId> {
        Some(self.gateway.account())
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        Some(&self.gateway)
    }

    fn tapes(&self) -> &[TapeArn] {
        &self.tapes
    }

    fn trace(&self) -> String {
        String::new()
    }
}

impl Listing for DescribeTapes {
    type Row = Tape;
    const IS_FILTERED: bool = false;

    fn at(&self, page: PageRequest) -> Self {
        Self { page, ..self.clone() }
    }
}

impl Operation for ListTapes {
    type Output = Page<TapeInfo>;
    const NAME: &'static str = "ListTapes";
    const KIND: OperationKind = OperationKind::Read;

    fn region(&self) -> &Region {
        &self.scope.region
    }

    fn account(&self) -> Option<&AccountId> {
        self.scope.account.as_ref()
    }

    fn gateway(&self) -> Option<&GatewayArn> {
        None
    }

    fn tapes(&self) -> &[TapeArn] {
        &self.tapes
    }

    fn trace(&self) -> String {
        String::new()
    }
}

impl Listing for ListTapes {
    type Row = TapeInfo;
    const IS_FILTERED: bool = true;

    fn at(&self, page: PageRequest) -> Self {
        Self { page, ..self.clone() }
    }
}
