package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

func attest(ctx context.Context) (any, error) {
	evidence := &types.AttestationData{Type: "join_token", Payload: []byte(*token)}
	var answer func(challenge []byte) ([]byte, error)
	if *popCert != "" {
		pair, err := tls.LoadX509KeyPair(*popCert, *popKey)
		if err != nil {
			return nil, err
		}
		payload, err := json.Marshal(map[string][][]byte{"certificates": pair.Certificate})
		if err != nil {
			return nil, err
		}
		evidence = &types.AttestationData{Type: "x509pop", Payload: payload}
		answer = func(challenge []byte) ([]byte, error) { return prove(pair.PrivateKey, challenge) }
	}
	connection, err := connect(true)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	key, csr, err := request()
	if err != nil {
		return nil, err
	}
	stream, err := agentv1.NewAgentClient(connection).AttestAgent(ctx)
	if err != nil {
		return nil, err
	}
	params := &agentv1.AttestAgentRequest_Params{Data: evidence, Params: &agentv1.AgentX509SVIDParams{Csr: csr}}
	err = stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{Params: params}})
	if err != nil && err != io.EOF {
		return nil, err
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if result := message.GetResult(); result != nil {
			svid := result.GetSvid()
			answered := map[string]any{
				"id": path(svid.GetId()), "reattestable": result.GetReattestable(), "expires_at": svid.GetExpiresAt(),
			}
			return answered, keep(*state, svid, key)
		}
		if answer == nil {
			return nil, fmt.Errorf("a challenge that nobody expected")
		}
		response, err := answer(message.GetChallenge())
		if err != nil {
			return nil, err
		}
		step := &agentv1.AttestAgentRequest_ChallengeResponse{ChallengeResponse: response}
		if err := stream.Send(&agentv1.AttestAgentRequest{Step: step}); err != nil && err != io.EOF {
			return nil, err
		}
	}
}

type nonce struct {
	Nonce []byte `json:"nonce"`
}

type challenge struct {
	RSA   *nonce `json:"rsa_signature"`
	ECDSA *nonce `json:"ecdsa_signature"`
}

// prove signs the digest of both nonces, as x509pop asks.
func prove(key crypto.PrivateKey, message []byte) ([]byte, error) {
	var asked challenge
	if err := json.Unmarshal(message, &asked); err != nil {
		return nil, err
	}
	own := make([]byte, 32)
	if _, err := rand.Read(own); err != nil {
		return nil, err
	}
	digest := func(theirs []byte) []byte {
		sum := sha256.Sum256(append(append([]byte{}, theirs...), own...))
		return sum[:]
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if asked.ECDSA == nil {
			return nil, fmt.Errorf("no challenge for an EC key: %s", message)
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(asked.ECDSA.Nonce))
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"ecdsa_signature": map[string][]byte{
			"nonce": own, "r": r.Bytes(), "s": s.Bytes(),
		}})
	case *rsa.PrivateKey:
		if asked.RSA == nil {
			return nil, fmt.Errorf("no challenge for an RSA key: %s", message)
		}
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest(asked.RSA.Nonce), nil)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"rsa_signature": map[string][]byte{
			"nonce": own, "signature": signature,
		}})
	default:
		return nil, fmt.Errorf("a key of type %T", key)
	}
}
