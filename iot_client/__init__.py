"""A client of the Alibaba Cloud IoT Platform API (version 2018-01-20), as a library. It needs neither the console nor Django.

    from iot_client.client import Client, Credentials
    from iot_client.errors import CloudError, Throttled

    with Client(Credentials("<AccessKey ID>", "<AccessKey secret>"), region="cn-shanghai") as client:
        client.call("RegisterDevice", ProductKey="a1BcDeFgHiJ", DeviceName="meter-1")
        for page in client.pages("QueryDevice", ProductKey="a1BcDeFgHiJ", PageSize=50):
            for device in page["Data"]["DeviceInfo"]:
                print(device["DeviceName"])

`call` checks the parameters by the catalogue, signs and sends the request, repeats it where that is safe, and returns the response as
a dict. It raises a subclass of `CloudError` with the platform's code, message and request ID: `Throttled`, `AccessDenied`,
`NotFound`, `InvalidParameter` … With `endpoint="http://127.0.0.1:8601"`, the client calls an emulator (`python -m iot_emulator`).

Modules:

    client.py          the client
    catalogue/         all operations, as data: parameters, response fields, limits, calls per second, error codes
    errors.py          the exceptions; advice.py, codes/, messages.py, text.py and translations/: what an error means and what to do, in
                       English and Simplified Chinese
    responses.py       reads JSON and XML; fields.py: the fields of a response as text, integers, times and lists
    paging.py          page numbers and page tokens
    retry.py           which calls are repeated, and when
    quota.py           shares the calls per second of an account between processes, with Redis
    signing.py, transport.py, trace.py     signatures; connections; what was sent and received
    object_storage.py  uploads a file for an operation that needs one
"""
