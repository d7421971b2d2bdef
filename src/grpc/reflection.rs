//! Server reflection: tells clients such as grpcurl the proto files of this server.
//!
//! The service of tonic-reflection ends the stream at a name that it does not know, so a client that asks for
//! several names on one stream gets no further responses. [`Reflection`] answers such a name with an
//! `error_response`, as the protocol defines it.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::StreamExt;
use http::Uri;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::{
    Code, Request, Response, Status, Streaming, async_trait, body::Body, codegen::BoxStream,
    server::NamedService,
};
use tonic_reflection::pb::{
    v1::{
        self, ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
        server_reflection_server::{SERVICE_NAME, ServerReflection, ServerReflectionServer},
    },
    v1alpha,
};
use tower::Service;

use super::{
    codec,
    connection::{CallCosts, Peer},
};

/// Answers questions about the proto files of this server.
#[derive(Clone, Debug)]
pub struct Reflection {
    files: DescriptorPool,
}

impl Reflection {
    /// Reflection of all services of this server.
    ///
    /// # Panics
    ///
    /// If a build has generated invalid descriptors.
    pub fn new() -> Self {
        let mut files = DescriptorPool::new();
        for set in [
            codec::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            v1::FILE_DESCRIPTOR_SET,
            v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            files
                .decode_file_descriptor_set(set)
                .expect("the build generates valid descriptors");
        }
        Self { files }
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let files = &self.files;
        let response = match &request.message_request {
            Some(MessageRequest::FileByFilename(name)) => files.get_file_by_name(name).as_ref().map(encoded),
            Some(MessageRequest::FileContainingSymbol(name)) => self.file_of(name).as_ref().map(encoded),
            Some(MessageRequest::FileContainingExtension(_)) => None,
            Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
                files.get_message_by_name(name).map(|_| no_extensions(name))
            }
            Some(MessageRequest::ListServices(_)) => Some(self.services()),
            None => None,
        };
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: response.or_else(|| Some(unknown())),
        }
    }

    fn services(&self) -> MessageResponse {
        let services = self.files.services().map(|service| ServiceResponse {
            name: service.full_name().to_owned(),
        });
        MessageResponse::ListServicesResponse(ListServiceResponse {
            service: services.collect(),
        })
    }

    /// The file that declares a message, an enum, a service or one of its methods.
    fn file_of(&self, name: &str) -> Option<FileDescriptor> {
        let message = |name| Some(self.files.get_message_by_name(name)?.parent_file());
        let enumeration = |name| Some(self.files.get_enum_by_name(name)?.parent_file());
        let service = |name| Some(self.files.get_service_by_name(name)?.parent_file());
        let method = |name: &str| {
            let (service, method) = name.rsplit_once('.')?;
            let service = self.files.get_service_by_name(service)?;
            let is_known = service.methods().any(|known| known.name() == method);
            is_known.then(|| service.parent_file())
        };
        message(name)
            .or_else(|| enumeration(name))
            .or_else(|| service(name))
            .or_else(|| method(name))
    }
}

impl Default for Reflection {
    fn default() -> Self {
        Self::new()
    }
}

fn encoded(file: &FileDescriptor) -> MessageResponse {
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: vec![file.encode_to_vec()],
    })
}

/// No file of this server extends a message.
fn no_extensions(message: &str) -> MessageResponse {
    MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
        base_type_name: message.to_owned(),
        extension_number: Vec::new(),
    })
}

fn unknown() -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: Code::NotFound as i32,
        error_message: "unknown name; list_services returns the services of this server".to_owned(),
    })
}

#[async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = BoxStream<ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        requests: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let reflection = self.clone();
        let peer = requests.extensions().get::<Peer>();
        let costs = peer.map_or_else(CallCosts::default, |peer| peer.costs().clone());
        let responses = requests.into_inner().map(move |request| {
            costs.add_question();
            request.map(|request| reflection.answer(request))
        });
        Ok(Response::new(responses.boxed()))
    }
}

/// Reflection under the name of its version v1alpha, whose messages are encoded as those of v1 are.
#[derive(Clone, Debug)]
pub struct V1Alpha(pub ServerReflectionServer<Reflection>);

impl NamedService for V1Alpha {
    const NAME: &'static str = v1alpha::server_reflection_server::SERVICE_NAME;
}

impl Service<http::Request<Body>> for V1Alpha {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = <ServerReflectionServer<Reflection> as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().replacen(Self::NAME, SERVICE_NAME, 1);
        *request.uri_mut() = Uri::try_from(path).expect("another service name leaves a path valid");
        self.0.call(request)
    }
}
