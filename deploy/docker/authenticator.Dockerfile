# The image of the authenticator: one static program on nothing.
# Build it in the top folder of the sources:
#   docker build -f deploy/docker/authenticator.Dockerfile --build-arg VERSION=1.2.3 -t gatehouse/authenticator:1.2.3 .
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/authenticator ./cmd/authenticator

FROM scratch
LABEL org.opencontainers.image.title="gatehouse/authenticator" \
      org.opencontainers.image.licenses="BSD-3-Clause"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/authenticator /authenticator
USER 65532:65532
# The port of deploy/docker/authenticator.yaml; without settings the program listens on
# 127.0.0.1 and nobody outside the container reaches it.
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s CMD ["/authenticator", "healthcheck"]
ENTRYPOINT ["/authenticator"]
CMD ["serve"]
