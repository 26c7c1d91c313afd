//! What was received so far, as files, and which of it does not stand in the folder yet.

use std::time::SystemTime;

use finial_identity::SpiffeId;

use crate::folder::{Awaited, Shelf};
use crate::render::Rendered;
use crate::vitals::{OutputKind, OutputVitals, Vitals};
use crate::{Config, Delivered, FileName, Layout};

/// One output: its files as they are to be.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) kind: OutputKind,
    /// What the configuration calls its files, the one that people know it by first.
    names: Vec<FileName>,
    vitals: OutputVitals,
    /// `None` until it was received.
    files: Option<Vec<Rendered>>,
    /// For people.
    of: Option<SpiffeId>,
    expires: Option<SystemTime>,
    /// Whether it was received and does not stand in the folder.
    is_new: bool,
    /// Whether it could not be made a file of; the next delivery of the others is none of it.
    is_faulty: bool,
}

/// All outputs of a configuration, in the order X.509-SVIDs, JWT-SVIDs, JWT bundles.
#[derive(Debug)]
pub(super) struct Stock {
    outputs: Vec<Output>,
    has_credential_folder: bool,
}

impl Stock {
    pub(super) fn new(config: &Config, vitals: &Vitals) -> Self {
        let output = |kind, names: Vec<FileName>| {
            let file = names.first().map(|name| config.cert_dir.join(name.as_str()));
            Output {
                kind,
                vitals: vitals.output(kind, &file.unwrap_or_else(|| config.cert_dir.clone())),
                names,
                files: None,
                of: None,
                expires: None,
                is_new: false,
                is_faulty: false,
            }
        };
        let x509 =
            config.outputs.x509.iter().map(|x509| {
                output(OutputKind::X509, x509.places().map(|place| place.name.clone()).collect())
            });
        let jwt = config.outputs.jwt_svids.iter();
        let jwt = jwt.map(|jwt| output(OutputKind::Jwt, vec![jwt.token.name.clone()]));
        let bundle = config.outputs.jwt_bundle.iter();
        let bundle = bundle.map(|place| output(OutputKind::JwtBundle, vec![place.name.clone()]));
        Self {
            outputs: x509.chain(jwt).chain(bundle).collect(),
            has_credential_folder: config.layout == Layout::SpiffeDraft,
        }
    }

    /// The outputs of a kind, in the order of the configuration.
    pub(super) fn of_kind(&mut self, kind: OutputKind) -> impl Iterator<Item = &mut Output> {
        self.outputs.iter_mut().filter(move |output| output.kind == kind)
    }

    /// Whether there is something that does not stand in the folder.
    pub(super) fn is_new(&self) -> bool {
        self.outputs.iter().any(|output| output.is_new)
    }

    /// Whether something could not be made a file of.
    pub(super) fn is_faulty(&self) -> bool {
        self.outputs.iter().any(|output| output.is_faulty)
    }

    /// Has everything put in its place again that was received.
    pub(super) fn renew(&mut self) {
        self.outputs.iter_mut().for_each(|output| output.is_new = output.files.is_some());
    }

    /// What is to stand in the folder.
    pub(super) fn shelf(&self) -> Shelf {
        let files = self.outputs.iter().filter_map(|output| output.files.as_ref()).flatten();
        let awaited = self.outputs.iter().filter(|output| output.files.is_none());
        let awaits_x509 = awaited.clone().any(|output| output.kind == OutputKind::X509);
        Shelf {
            files: files.cloned().collect(),
            awaited: Awaited {
                names: awaited.flat_map(|output| &output.names).cloned().collect(),
                credential_folder: self.has_credential_folder && awaits_x509,
            },
        }
    }

    /// Everything that is new stands in the folder: tells it, and counts it.
    pub(super) fn stands(&mut self, delivered: &mut Delivered) {
        let is_new = |kind| self.outputs.iter().any(|output| output.is_new && output.kind == kind);
        delivered.x509 += u64::from(is_new(OutputKind::X509));
        delivered.jwt += u64::from(is_new(OutputKind::Jwt));
        delivered.jwt_bundle += u64::from(is_new(OutputKind::JwtBundle));
        delivered.complete |= self.outputs.iter().all(|output| output.files.is_some());
        for output in self.outputs.iter_mut().filter(|output| output.is_new) {
            output.is_new = false;
            output.told();
        }
    }

    /// What is new could not be put into the folder.
    pub(super) fn refused(&self) {
        self.outputs.iter().filter(|output| output.is_new).for_each(|output| output.vitals.failed());
    }
}

impl Output {
    /// The files as they are to be from now on.
    pub(super) fn received(
        &mut self,
        files: Vec<Rendered>,
        of: Option<SpiffeId>,
        expires: Option<SystemTime>,
    ) {
        self.is_faulty = false;
        if self.files.as_ref() != Some(&files) {
            (self.files, self.of, self.expires, self.is_new) = (Some(files), of, expires, true);
        }
    }

    /// What was received cannot be made files of; what came before goes on.
    pub(super) fn faulty(&mut self) {
        self.is_faulty = true;
        self.vitals.failed();
    }

    pub(super) fn vitals(&self) -> OutputVitals {
        self.vitals.clone()
    }

    fn told(&self) {
        self.vitals.written(self.expires);
        let files = self.files.iter().flatten().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
        let what = match self.kind {
            OutputKind::X509 => "X.509-SVID",
            OutputKind::Jwt => "JWT-SVID",
            OutputKind::JwtBundle => "JWT bundles",
        };
        let of = self.of.as_ref().map(tracing::field::display);
        let expires = self.expires.map(finial_daemon::go::format_time);
        tracing::info!(spiffe_id = of, expires, files, "{what} written");
    }
}
