package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func call(ctx context.Context, method string, arguments []string) (any, error) {
	connection, err := connect(*insecure)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	first := func() string {
		if len(arguments) == 0 {
			fail(fmt.Errorf("%s needs an argument", method))
		}
		return arguments[0]
	}
	switch method {
	case "post-status":
		return agentv1.NewAgentClient(connection).PostStatus(ctx, &agentv1.PostStatusRequest{AgentVersion: "1.15.2"})
	case "bundle":
		bundle, err := bundlev1.NewBundleClient(connection).GetBundle(ctx, &bundlev1.GetBundleRequest{})
		return summary(bundle), err
	case "federated-bundle":
		asked := &bundlev1.GetFederatedBundleRequest{TrustDomain: first()}
		bundle, err := bundlev1.NewBundleClient(connection).GetFederatedBundle(ctx, asked)
		return summary(bundle), err
	case "entries":
		asked := &entryv1.GetAuthorizedEntriesRequest{OutputMask: mask()}
		answer, err := entryv1.NewEntryClient(connection).GetAuthorizedEntries(ctx, asked)
		return entries(answer.GetEntries()), err
	case "sync":
		found, err := sync(ctx, connection)
		return entries(found), err
	case "x509-svid":
		return x509SVID(ctx, connection, first())
	case "jwt-svid":
		asked := &svidv1.NewJWTSVIDRequest{EntryId: first(), Audience: arguments[1:]}
		answer, err := svidv1.NewSVIDClient(connection).NewJWTSVID(ctx, asked)
		return map[string]any{"id": path(answer.GetSvid().GetId()), "token": answer.GetSvid().GetToken()}, err
	case "renew":
		return renew(ctx, connection)
	default:
		return nil, fmt.Errorf("unknown method %q", method)
	}
}

// mask is what a SPIRE agent wants to know of an entry.
func mask() *types.EntryMask {
	return &types.EntryMask{
		SpiffeId: true, Selectors: true, FederatesWith: true, Admin: true, Downstream: true, RevisionNumber: true,
		StoreSvid: true, Hint: true, CreatedAt: true, AdditionalAttributes: true,
	}
}

// sync asks for everything that it lacks, page by page, as the stream prescribes; it holds nothing to begin with.
func sync(ctx context.Context, connection grpc.ClientConnInterface) ([]*types.Entry, error) {
	stream, err := entryv1.NewEntryClient(connection).SyncAuthorizedEntries(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{OutputMask: mask()}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if len(answer.GetEntryRevisions()) == 0 {
		return answer.GetEntries(), stream.CloseSend()
	}
	var missing []string
	for {
		for _, revision := range answer.GetEntryRevisions() {
			missing = append(missing, revision.GetId())
		}
		if !answer.GetMore() {
			break
		}
		if answer, err = stream.Recv(); err != nil {
			return nil, err
		}
	}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{Ids: missing}); err != nil {
		return nil, err
	}
	var found []*types.Entry
	for {
		if answer, err = stream.Recv(); err != nil {
			return nil, err
		}
		found = append(found, answer.GetEntries()...)
		if !answer.GetMore() {
			return found, stream.CloseSend()
		}
	}
}

// x509SVID has one SVID issued, the URI in its CSR as a SPIRE agent puts it there.
func x509SVID(ctx context.Context, connection grpc.ClientConnInterface, entry string) (any, error) {
	uri, err := url.Parse("spiffe://" + *domain + "/named/in/the/request")
	if err != nil {
		return nil, err
	}
	_, csr, err := requestFor(&x509.CertificateRequest{URIs: []*url.URL{uri}})
	if err != nil {
		return nil, err
	}
	asked := &svidv1.BatchNewX509SVIDRequest{Params: []*svidv1.NewX509SVIDParams{{EntryId: entry, Csr: csr}}}
	answer, err := svidv1.NewSVIDClient(connection).BatchNewX509SVID(ctx, asked)
	if err != nil {
		return nil, err
	}
	if len(answer.GetResults()) != 1 {
		return nil, fmt.Errorf("%d results for one request", len(answer.GetResults()))
	}
	result := answer.GetResults()[0]
	if code := codes.Code(result.GetStatus().GetCode()); code != codes.OK {
		return nil, status.Error(code, result.GetStatus().GetMessage())
	}
	leaf, err := x509.ParseCertificate(result.GetSvid().GetCertChain()[0])
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": path(result.GetSvid().GetId()), "uri": leaf.URIs[0].String(), "dns_names": leaf.DNSNames,
		"message": result.GetStatus().GetMessage(),
	}, nil
}

func renew(ctx context.Context, connection grpc.ClientConnInterface) (any, error) {
	key, csr, err := request()
	if err != nil {
		return nil, err
	}
	asked := &agentv1.RenewAgentRequest{Params: &agentv1.AgentX509SVIDParams{Csr: csr}}
	answer, err := agentv1.NewAgentClient(connection).RenewAgent(ctx, asked)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": path(answer.GetSvid().GetId())}, keep(*into, answer.GetSvid(), key)
}

func summary(bundle *types.Bundle) any {
	var authorities []string
	for _, authority := range bundle.GetX509Authorities() {
		authorities = append(authorities, encode(authority.GetAsn1()))
	}
	var keys []string
	for _, key := range bundle.GetJwtAuthorities() {
		keys = append(keys, key.GetKeyId())
	}
	return map[string]any{
		"trust_domain": bundle.GetTrustDomain(), "x509_authorities": authorities, "jwt_keys": keys,
		"sequence_number": bundle.GetSequenceNumber(), "refresh_hint": bundle.GetRefreshHint(),
	}
}

func entries(found []*types.Entry) any {
	listed := []any{}
	for _, entry := range found {
		var selectors []string
		for _, selector := range entry.GetSelectors() {
			selectors = append(selectors, selector.GetType()+":"+selector.GetValue())
		}
		listed = append(listed, map[string]any{
			"id": entry.GetId(), "spiffe_id": path(entry.GetSpiffeId()), "selectors": selectors,
			"revision_number": entry.GetRevisionNumber(), "parent_id": entry.GetParentId().GetPath(),
			"created_at": entry.GetCreatedAt(), "hint": entry.GetHint(), "federates_with": entry.GetFederatesWith(),
		})
	}
	return listed
}
