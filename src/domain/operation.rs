use std::{fmt, hash::Hash, sync::Arc};

use super::{
    AccountId, Barcode, BarcodePrefix, ClientToken, Encryption, GatewayArn, Page, PageRequest, Pool, Region,
    Row, Scope, Tag, Tape, TapeArchive, TapeArn, TapeInfo, TapeSize,
};

/// An operation of the API with its arguments.
pub trait Operation: Clone + Eq + Hash + Send + Sync + 'static {
    /// What a successful call returns.
    type Output: Clone + fmt::Debug + Send + Sync + 'static;

    /// The operation's name in the API.
    const NAME: &'static str;

    /// Whether it reads or creates.
    const KIND: OperationKind;

    /// The region that it is sent to.
    fn region(&self) -> &Region;

    /// The account of the tapes, if the request names it.
    fn account(&self) -> Option<&AccountId>;

    /// The region, and the account if the request names it.
    fn scope(&self) -> Scope {
        Scope {
            region: self.region().clone(),
            account: self.account().cloned(),
        }
    }

    /// The gateway that the request names.
    fn gateway(&self) -> Option<&GatewayArn>;

    /// The tapes that the request names.
    fn tapes(&self) -> &[TapeArn];

    /// The tapes to be created; `None` for a read.
    fn requested_tapes(&self) -> Option<RequestedTapes<'_>> {
        None
    }

    /// The ARN of the tape to be created, if it is known before the call.
    fn new_tape_arn(&self) -> Option<TapeArn> {
        None
    }

    /// The ARNs of the tapes that a create returned, if AWS chose them; empty otherwise.
    fn chosen_tapes(_output: &Self::Output) -> &[String] {
        &[]
    }

    /// How to find the tapes of a create whose response was lost, for the log; empty for a read.
    fn lookup_hint(&self) -> String {
        String::new()
    }
}

/// Whether an operation reads or creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// It creates nothing: it can be repeated and cancelled at any moment. Adding tags counts as one.
    Read,
    /// It creates tapes. An attempt that was sent must run to its end.
    Create,
}

impl OperationKind {
    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
        }
    }
}

/// The tapes that a create asks for.
#[derive(Clone, Copy, Debug)]
pub struct RequestedTapes<'a> {
    /// The properties of each tape.
    pub tape: &'a NewTape,
    /// The number of tapes.
    pub count: u8,
    /// Their barcode, or its prefix.
    pub barcode: RequestedBarcode<'a>,
}

/// The barcode that a create asks for.
#[derive(Clone, Copy, Debug)]
pub enum RequestedBarcode<'a> {
    /// The barcode of the one tape.
    Exact(&'a Barcode),
    /// The prefix of barcodes that AWS generates.
    Prefix(&'a BarcodePrefix),
}

/// An operation that returns a list, page by page.
pub trait ListOperation: Operation<Output = Page<Self::Row>> {
    /// One row of a page.
    type Row: Row;

    /// Whether policies decide for each row whether the caller sees it. If not, a caller that may
    /// call the operation sees all rows.
    const IS_FILTERED: bool;

    /// The same list with another page.
    #[must_use]
    fn at(&self, page: PageRequest) -> Self;
}

/// Creates one tape with a barcode that the caller chooses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTapeWithBarcode {
    /// The barcode. AWS accepts each barcode once only, even if its tape is deleted.
    pub barcode: Barcode,
    /// The properties of the tape.
    pub tape: NewTape,
}

impl CreateTapeWithBarcode {
    /// The tape to be created.
    pub fn requested(&self) -> RequestedTapes<'_> {
        RequestedTapes {
            tape: &self.tape,
            count: 1,
            barcode: RequestedBarcode::Exact(&self.barcode),
        }
    }
}

/// Creates 1–10 tapes with barcodes that AWS generates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTapes {
    /// The token that makes the call idempotent.
    pub client_token: ClientToken,
    /// The number of tapes, 1–10.
    pub count: u8,
    /// The prefix of the barcodes.
    pub prefix: BarcodePrefix,
    /// The properties of each tape.
    pub tape: NewTape,
}

impl CreateTapes {
    /// The tapes to be created.
    pub fn requested(&self) -> RequestedTapes<'_> {
        RequestedTapes {
            tape: &self.tape,
            count: self.count,
            barcode: RequestedBarcode::Prefix(&self.prefix),
        }
    }
}

/// The properties of a tape to be created. A `None` is left out of the request to AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewTape {
    /// The gateway whose library gets the tape.
    pub gateway: GatewayArn,
    /// The capacity.
    pub size: TapeSize,
    /// The encryption.
    pub encryption: Encryption,
    /// The pool that it is archived to.
    pub pool: Option<Pool>,
    /// Whether it is write once, read many.
    pub worm: Option<bool>,
    /// The tags.
    pub tags: Arc<[Tag]>,
}

/// Describes the archived tapes of an account and region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTapeArchives {
    /// The account and region.
    pub scope: Scope,
    /// The tapes to describe; empty means all.
    pub tapes: Arc<[TapeArn]>,
    /// The requested page.
    pub page: PageRequest,
}

/// Describes tapes in the library of one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTapes {
    /// The gateway.
    pub gateway: GatewayArn,
    /// The tapes to describe; empty means all.
    pub tapes: Arc<[TapeArn]>,
    /// The requested page.
    pub page: PageRequest,
}

/// Lists the tapes of an account and region, in library and archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListTapes {
    /// The account and region.
    pub scope: Scope,
    /// The tapes to list; empty means all.
    pub tapes: Arc<[TapeArn]>,
    /// The requested page.
    pub page: PageRequest,
}

/// The result of CreateTapeWithBarcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTape {
    /// The ARN of the tape; never empty.
    pub tape_arn: String,
    /// The tags of the request that the tape may lack.
    pub unconfirmed_tags: Arc<[Tag]>,
}

/// The result of CreateTapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTapes {
    /// The ARNs of the tapes: at least one, none empty.
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

    fn requested_tapes(&self) -> Option<RequestedTapes<'_>> {
        Some(self.requested())
    }

    fn new_tape_arn(&self) -> Option<TapeArn> {
        Some(self.tape.gateway.tape(&self.barcode))
    }

    fn lookup_hint(&self) -> String {
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

    fn requested_tapes(&self) -> Option<RequestedTapes<'_>> {
        Some(self.requested())
    }

    fn chosen_tapes(output: &CreatedTapes) -> &[String] {
        &output.tape_arns
    }

    fn lookup_hint(&self) -> String {
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
}

impl ListOperation for DescribeTapeArchives {
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
}

impl ListOperation for DescribeTapes {
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
}

impl ListOperation for ListTapes {
    type Row = TapeInfo;
    const IS_FILTERED: bool = true;

    fn at(&self, page: PageRequest) -> Self {
        Self { page, ..self.clone() }
    }
}
