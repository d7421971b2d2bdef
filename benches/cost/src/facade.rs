//! A façade with nothing but tonic and the SDK: what is left of tapegate without its layers.

use std::pin::Pin;

use aws_sdk_storagegateway::{Client, types::TapeInfo};
use futures_util::{Stream, stream};
use tapegate::grpc::{
    list_response::ListResponse,
    proto::{
        self, CreateTapeWithBarcodeRequest, CreateTapeWithBarcodeResponse, CreateTapesRequest,
        CreateTapesResponse, DescribeTapeArchivesRequest, DescribeTapeArchivesResponse, DescribeTapesRequest,
        DescribeTapesResponse, ListTapesRequest, ListTapesResponse,
        tape_service_server::{TapeService, TapeServiceServer},
    },
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// Serves until the process ends. Prints its address.
pub(crate) async fn serve(upstream: &str) -> Result<(), String> {
    let listener = crate::listen("grpc").await?;
    let service = TapeServiceServer::new(Facade(super::sdk(upstream)));
    Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await
        .map_err(|error| error.to_string())
}

struct Facade(Client);

type Pages<T> = Pin<Box<dyn Stream<Item = Result<ListResponse<T>, Status>> + Send>>;

#[tonic::async_trait]
impl TapeService for Facade {
    async fn create_tape_with_barcode(
        &self,
        _: Request<CreateTapeWithBarcodeRequest>,
    ) -> Result<Response<CreateTapeWithBarcodeResponse>, Status> {
        Err(not_measured())
    }

    async fn create_tapes(
        &self,
        request: Request<CreateTapesRequest>,
    ) -> Result<Response<CreateTapesResponse>, Status> {
        let request = request.into_inner();
        let created = self
            .0
            .create_tapes()
            .gateway_arn(request.gateway_arn)
            .tape_size_in_bytes(request.tape_size_in_bytes)
            .client_token(request.client_token)
            .num_tapes_to_create(request.num_tapes_to_create)
            .tape_barcode_prefix(request.tape_barcode_prefix)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(Response::new(CreateTapesResponse {
            tape_arns: created.tape_arns.unwrap_or_default(),
            ..CreateTapesResponse::default()
        }))
    }

    type DescribeTapesStream = Pages<DescribeTapesResponse>;

    async fn describe_tapes(
        &self,
        _: Request<DescribeTapesRequest>,
    ) -> Result<Response<Self::DescribeTapesStream>, Status> {
        Err(not_measured())
    }

    type DescribeTapeArchivesStream = Pages<DescribeTapeArchivesResponse>;

    async fn describe_tape_archives(
        &self,
        _: Request<DescribeTapeArchivesRequest>,
    ) -> Result<Response<Self::DescribeTapeArchivesStream>, Status> {
        Err(not_measured())
    }

    type ListTapesStream = Pages<ListTapesResponse>;

    async fn list_tapes(
        &self,
        request: Request<ListTapesRequest>,
    ) -> Result<Response<Self::ListTapesStream>, Status> {
        let ListTapesRequest { limit, marker, .. } = request.into_inner();
        let client = self.0.clone();
        let pages = stream::try_unfold(Some(marker), move |marker| {
            let client = client.clone();
            async move {
                let Some(marker) = marker else { return Ok(None) };
                let page = client
                    .list_tapes()
                    .limit(limit)
                    .marker(marker)
                    .send()
                    .await
                    .map_err(unavailable)?;
                let message = ListTapesResponse {
                    tape_infos: page.tape_infos.unwrap_or_default().into_iter().map(row).collect(),
                    marker: page.marker.clone().unwrap_or_default(),
                    ..ListTapesResponse::default()
                };
                Ok(Some((message.into(), page.marker)))
            }
        });
        Ok(Response::new(Box::pin(pages)))
    }
}

fn row(tape: TapeInfo) -> proto::TapeInfo {
    proto::TapeInfo {
        tape_arn: tape.tape_arn.unwrap_or_default(),
        tape_barcode: tape.tape_barcode,
        tape_size_in_bytes: tape.tape_size_in_bytes,
        tape_status: proto::TapeStatus::Available.into(),
        tape_status_text: tape.tape_status,
        gateway_arn: tape.gateway_arn,
        pool_id: proto::PoolId::Glacier.into(),
        pool_id_text: tape.pool_id,
        ..proto::TapeInfo::default()
    }
}

fn unavailable(error: impl std::error::Error) -> Status {
    Status::unavailable(error.to_string())
}

fn not_measured() -> Status {
    Status::unimplemented("the benchmark does not call it")
}
