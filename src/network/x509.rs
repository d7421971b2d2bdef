use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, tags};

/// What the service reads of an X.509 certificate itself. It verifies nothing: rustls does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509 {
    /// When the certificate expires.
    pub not_after: Timestamp,
    /// The attributes of the subject that are texts: the arcs of their types, and their values.
    pub subject: Vec<(Vec<u64>, String)>,
    /// The e-mail addresses among the subject alternative names.
    pub emails: Vec<String>,
}

/// The type of the extension of subject alternative names (RFC 5280, section 4.2.1.6).
const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];

/// The type of a common name (RFC 5280, appendix A.1).
const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];

/// The tag of an e-mail address in it.
const RFC822_NAME: u64 = 1;

impl X509 {
    /// The common name of the subject, or all its texts if it has none.
    pub fn display_name(&self) -> String {
        let common = self.subject.iter().find(|(kind, _)| *kind == COMMON_NAME);
        match common {
            Some((_, name)) => name.clone(),
            None => self
                .subject
                .iter()
                .map(|(_, text)| text.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// Parses a certificate. `None` if it is not a valid one.
    pub fn parse(der: &[u8]) -> Option<Self> {
        yasna::parse_der(der, |certificate| {
            certificate.read_sequence(|certificate| {
                let parsed = certificate.next().read_sequence(Self::read)?;
                // The signature and its algorithm.
                for _ in 0..2 {
                    certificate.next().read_der()?;
                }
                Ok(parsed)
            })
        })
        .ok()
    }

    /// Reads the signed part (RFC 5280, section 4.1).
    fn read(fields: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Self> {
        let context = Tag::context;
        fields.read_optional(|version| version.read_tagged(context(0), skip))?;
        // The serial number, the algorithm and the issuer.
        for _ in 0..3 {
            fields.next().read_der()?;
        }
        let not_after = fields.next().read_sequence(|validity| {
            validity.next().read_der()?;
            time(validity.next())
        })?;
        let mut subject = Vec::new();
        fields.next().read_sequence_of(|names| {
            names.read_set_of(|attribute| {
                subject.extend(self::attribute(attribute)?);
                Ok(())
            })
        })?;
        // The public key, and two ids of old versions.
        fields.next().read_der()?;
        for number in [1, 2] {
            fields.read_optional(|id| match id.lookahead_tag()? == context(number) {
                true => id.read_der(),
                false => Err(invalid()),
            })?;
        }
        let extensions = fields.read_optional(|extensions| extensions.read_tagged(context(3), emails))?;
        Ok(Self {
            not_after,
            subject,
            emails: extensions.unwrap_or_default(),
        })
    }
}

// Methods of the reader are not general enough over its lifetimes for these places.

fn skip(value: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    value.read_der()
}

fn flag(value: BERReader<'_, '_>) -> ASN1Result<bool> {
    value.read_bool()
}

/// Reads the e-mail addresses among the extensions.
fn emails(extensions: BERReader<'_, '_>) -> ASN1Result<Vec<String>> {
    let mut emails = Vec::new();
    extensions.read_sequence_of(|extension| {
        extension.read_sequence(|fields| {
            let kind = fields.next().read_oid()?;
            fields.read_optional(flag)?;
            let value = fields.next().read_bytes()?;
            if *kind.components() == SUBJECT_ALT_NAME {
                yasna::parse_der(&value, |names| {
                    names.read_sequence_of(|name| {
                        let name = name.read_tagged_der()?;
                        if name.tag() == Tag::context(RFC822_NAME) {
                            emails.push(text(name.value())?);
                        }
                        Ok(())
                    })
                })?;
            }
            Ok(())
        })
    })?;
    Ok(emails)
}

/// Reads an attribute of a name. `None` if its value is not a text, or in an old encoding.
fn attribute(attribute: BERReader<'_, '_>) -> ASN1Result<Option<(Vec<u64>, String)>> {
    attribute.read_sequence(|fields| {
        let kind = fields.next().read_oid()?;
        let value = fields.next().read_tagged_der()?;
        let is_text = [
            tags::TAG_UTF8STRING,
            tags::TAG_PRINTABLESTRING,
            tags::TAG_NUMERICSTRING,
            tags::TAG_IA5STRING,
        ]
        .contains(&value.tag());
        let text = is_text.then(|| text(value.value())).transpose()?;
        Ok(text.map(|text| (kind.components().clone(), text)))
    })
}

fn text(bytes: &[u8]) -> ASN1Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid())
}

/// Reads a time: `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after that (RFC 5280, section
/// 4.1.2.5).
fn time(time: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let time = time.read_tagged_der()?;
    let digits = text(time.value())?;
    let digits = digits.strip_suffix('Z').ok_or_else(invalid)?;
    let full = match time.tag() {
        tags::TAG_GENERALIZEDTIME => digits.to_owned(),
        tags::TAG_UTCTIME if digits < "50" => format!("20{digits}"),
        tags::TAG_UTCTIME => format!("19{digits}"),
        _ => return Err(invalid()),
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", full).and_then(|time| time.to_zoned(TimeZone::UTC));
    time.map(|time| time.timestamp()).map_err(|_| invalid())
}

fn invalid() -> ASN1Error {
    ASN1Error::new(ASN1ErrorKind::Invalid)
}
