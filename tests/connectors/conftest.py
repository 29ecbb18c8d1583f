"""What tests of connections share: a server's certificate, a client that trusts it, and a query's rows."""

import datetime
import ipaddress
import ssl
from contextlib import ExitStack

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.warehouse import open_query


@pytest.fixture
def certificate(tmp_path):
    """`certificate(address)` gives the contexts of a server there and of a client that trusts it."""

    def made(address):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody trusts this")])
        host = x509.IPAddress(ipaddress.ip_address(address))
        day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
        built = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName([host]), critical=False)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = tmp_path / "server.pem"
        pem.write_bytes(
            built.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context, ssl.create_default_context(cafile=pem)

    return made


@pytest.fixture
def ask(tmp_path):
    """`ask(url, query, bound)` opens the query, reads it to its end and gives its rows; `ask.query` is the last one."""

    def asking(url, query, bound=None, **more):
        with ExitStack() as stack:
            asking.query = open_query(url, query, bound, "loyalty", "source.loyalty", stack, folder=tmp_path, **more)
            return [row for batch in asking.query.reading.batches() for row in batch.rows.to_pylist()]

    return asking
