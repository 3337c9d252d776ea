"""AWS's wire protocols from the server's side, driven by botocore's own service models.

``operations`` finds the operation that a request asks for, ``requests`` reads its parameters as
boto3 names them and writes those of the lab's own calls, ``answers`` writes a result (or an error)
as the service would and reads one back. Requests in other dialects (Smithy RPC v2 CBOR) are not
read: they pass to the emulator as they are.
"""
