//! Avatars in their two formats: data and metadata (XEP-0084), and the photograph of a vCard (XEP-0153), which XEP-0398
//! keeps the same. The hash function is somebody else's.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

use crate::ns;
use crate::stanza::Stanza;
use crate::xml::Element;

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its media type, if somebody says so.
    pub kind: Option<String>,
}

/// Whoever encoded it may have left out the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// White space is allowed everywhere in it (XEP-0084 §4.1, XEP-0153 §4.6). `None`: it is no base64, or nothing.
fn decode(text: &str) -> Option<Vec<u8>> {
    let clean: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    LENIENT.decode(clean).ok().filter(|data| !data.is_empty())
}

fn encode(data: &[u8]) -> String {
    general_purpose::STANDARD.encode(data)
}

/// The media type that the first bytes tell, whatever somebody says (XEP-0153 §5).
#[must_use]
pub fn kind_of(data: &[u8]) -> Option<&'static str> {
    match data {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// XEP-0398 §3.1: the id and the type of the picture that is at the data node and nowhere else.
#[must_use]
pub fn described(metadata: &Element) -> Option<(&str, Option<&str>)> {
    let mut infos = metadata.child_elements().filter(|e| e.is("info", ns::AVATAR_METADATA));
    let info = infos.find(|info| info.get_attr("url").is_none())?;
    Some((info.get_attr("id")?, info.get_attr("type")))
}

/// The bytes in `<data/>` (XEP-0084 §4.1).
#[must_use]
pub fn read_data(data: &Element) -> Option<Vec<u8>> {
    data.is("data", ns::AVATAR_DATA).then(|| decode(&data.text_content())).flatten()
}

/// `<data/>`.
#[must_use]
pub fn data(picture: &[u8]) -> Element {
    Element::new("data", ns::AVATAR_DATA).text(encode(picture))
}

/// `<metadata/>` of a picture at the data node (XEP-0398 §3.2); of none: there is no avatar (XEP-0084 §3.5).
#[must_use]
pub fn metadata(picture: Option<(&Picture, &str)>) -> Element {
    let info = |(picture, id): (&Picture, &str)| {
        let kind = kind_of(&picture.data).map(str::to_owned).or_else(|| picture.kind.clone());
        Element::new("info", ns::AVATAR_METADATA)
            .attr("bytes", picture.data.len().to_string())
            .attr("id", id)
            .attr("type", kind.unwrap_or_else(|| "image/png".to_owned()))
    };
    Element::new("metadata", ns::AVATAR_METADATA).child_opt(picture.map(info))
}

/// The photograph of a vCard (XEP-0153 §4.5).
#[must_use]
pub fn photo(vcard: &Element) -> Option<Picture> {
    let photo = vcard.find("PHOTO", ns::VCARD)?;
    let data = decode(&photo.find("BINVAL", ns::VCARD)?.text_content())?;
    let kind = photo.find("TYPE", ns::VCARD).map(|kind| kind.text_content().trim().to_owned());
    Some(Picture { data, kind: kind.filter(|kind| !kind.is_empty()) })
}

/// Puts a photograph into a vCard in place of the one before, or takes it out.
pub fn set_photo(vcard: &mut Element, picture: Option<&Picture>) {
    vcard.retain_children(|e| !e.is("PHOTO", ns::VCARD));
    if let Some(picture) = picture {
        let kind = kind_of(&picture.data).map(str::to_owned).or_else(|| picture.kind.clone());
        let kind = kind.map(|kind| Element::new("TYPE", ns::VCARD).text(kind));
        let data = Element::new("BINVAL", ns::VCARD).text(encode(&picture.data));
        vcard.push(Element::new("PHOTO", ns::VCARD).child_opt(kind).child(data));
    }
}

/// Does presence say that there is no photograph (XEP-0153 §4.1 rule 3)? That is left to its sender (XEP-0398 §4).
#[must_use]
pub fn says_none(presence: &Stanza) -> bool {
    said(presence).is_some_and(|photo| photo.is_empty())
}

fn said(presence: &Stanza) -> Option<String> {
    let update = presence.child("x", ns::VCARD_UPDATE)?;
    Some(update.find("photo", ns::VCARD_UPDATE)?.text_content().trim().to_owned())
}

/// XEP-0398 §4: puts the hash of the photograph into available presence, in place of what is there; an empty one says that
/// there is none.
pub fn stamp(presence: &mut Stanza, hash: &str) {
    if said(presence).is_some_and(|said| said == hash) {
        return;
    }
    presence.retain_children(|child| !child.is("x", ns::VCARD_UPDATE));
    let photo = Element::new("photo", ns::VCARD_UPDATE).text(hash);
    presence.push_child(&Element::new("x", ns::VCARD_UPDATE).child(photo));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::StreamContext;

    const PNG: [u8; 9] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 1];

    fn element(xml: &str) -> Element {
        Element::parse(xml, ns::CLIENT).expect("XML")
    }

    fn presence(children: &str) -> Stanza {
        let cx = StreamContext::new(ns::CLIENT.to_owned());
        Stanza::parse(format!("<presence>{children}</presence>").as_bytes(), &cx).expect("a stanza")
    }

    #[test]
    fn a_photo_is_put_in_and_found() {
        let mut vcard = element("<vCard xmlns='vcard-temp'><FN>J</FN><PHOTO><BINVAL>AAAA</BINVAL></PHOTO></vCard>");
        assert_eq!(photo(&vcard), Some(Picture { data: vec![0; 3], kind: None }));
        let picture = Picture { data: PNG.to_vec(), kind: Some("image/jpeg".into()) };
        set_photo(&mut vcard, Some(&picture));
        let png = Picture { data: PNG.to_vec(), kind: Some("image/png".into()) };
        assert_eq!(photo(&vcard), Some(png), "the bytes say what it is");
        assert_eq!(vcard.child_elements().count(), 2);
        set_photo(&mut vcard, None);
        assert_eq!(vcard.to_xml(ns::CLIENT), "<vCard xmlns='vcard-temp'><FN>J</FN></vCard>");
    }

    #[test]
    fn no_photo() {
        for inside in [
            "",
            "<PHOTO/>",
            "<PHOTO><BINVAL/></PHOTO>",
            "<PHOTO><BINVAL>*</BINVAL></PHOTO>",
            "<PHOTO><EXTVAL/></PHOTO>",
        ] {
            assert_eq!(photo(&element(&format!("<vCard xmlns='vcard-temp'>{inside}</vCard>"))), None, "{inside}");
        }
        let spaced = element(
            "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>\n AA\n\tA= \n</BINVAL><TYPE> a/b </TYPE></PHOTO></vCard>",
        );
        assert_eq!(photo(&spaced), Some(Picture { data: vec![0; 2], kind: Some("a/b".into()) }));
    }

    /// XEP-0084 §5.1.
    #[test]
    fn the_picture_at_the_node_is_chosen() {
        let metadata = element(
            "<metadata xmlns='urn:xmpp:avatar:metadata'><info id='a' url='http://x' type='image/gif'/>\
             <info id='b' type='image/png'/><info id='c'/></metadata>",
        );
        assert_eq!(described(&metadata), Some(("b", Some("image/png"))));
        assert_eq!(described(&element("<metadata xmlns='urn:xmpp:avatar:metadata'/>")), None);
    }

    #[test]
    fn metadata_of_a_picture() {
        let picture = Picture { data: PNG.to_vec(), kind: None };
        assert_eq!(
            metadata(Some((&picture, "abc"))).to_xml(ns::CLIENT),
            "<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='9' id='abc' type='image/png'/></metadata>"
        );
        assert_eq!(read_data(&data(&PNG)).as_deref(), Some(&PNG[..]));
        assert!(metadata(None).first_child().is_none());
    }

    #[test]
    fn media_types() {
        for (data, kind) in [
            (&PNG[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF1234WEBPVP8", Some("image/webp")),
            (b"BM", None),
            (b"", None),
        ] {
            assert_eq!(kind_of(data), kind);
        }
    }

    /// XEP-0398 §4.
    #[test]
    fn presence_is_stamped() {
        let stamped = |children: &str| {
            let mut presence = presence(children);
            stamp(&mut presence, "abc");
            presence.inner().to_owned()
        };
        let x = |photo: &str| format!("<x xmlns='vcard-temp:x:update'>{photo}</x>");
        let ours = x("<photo>abc</photo>");
        assert_eq!(stamped(""), ours);
        assert_eq!(stamped("<show>away</show>"), format!("<show>away</show>{ours}"));
        for other in ["<x xmlns='vcard-temp:x:update'/>", &x("<photo>def</photo>"), &x("<other/>")] {
            assert_eq!(stamped(other), ours, "{other}");
        }
        assert_eq!(stamped(&ours), ours);
        for none in [x("<photo/>"), x("<photo> </photo>")] {
            assert!(says_none(&presence(&none)));
        }
        for some in ["", &x(""), &ours] {
            assert!(!says_none(&presence(some)), "{some}");
        }
        let mut presence = presence(&ours);
        stamp(&mut presence, "");
        assert_eq!(presence.inner(), x("<photo/>"));
    }
}
