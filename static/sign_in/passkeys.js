// Passkeys: when a form with `data-passkey` is sent, ask the browser for a passkey and send its credential with the form.
// "create" and "get" read their options from the script element that `data-options` names. "login" requests them from the form's address.
const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const decodeDescriptors = (descriptors) => (descriptors || []).map((descriptor) => ({ ...descriptor, id: decode(descriptor.id) }));

async function createPasskey(options, passwordless) {
  const selection = {
    ...options.authenticatorSelection,
    residentKey: passwordless ? "required" : "discouraged",
    requireResidentKey: passwordless,
    ...(passwordless && { userVerification: "required" }),
  };
  return navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: decodeDescriptors(options.excludeCredentials),
      authenticatorSelection: selection,
    },
  });
}

async function getPasskey(options) {
  return navigator.credentials.get({
    publicKey: { ...options, challenge: decode(options.challenge), allowCredentials: decodeDescriptors(options.allowCredentials) },
  });
}

function serialize(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encode(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

async function requestCredential(form) {
  if (form.dataset.passkey === "login") {
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    return getPasskey((await response.json()).request_options.publicKey);
  }
  const options = JSON.parse(document.getElementById(form.dataset.options).textContent);
  if (form.dataset.passkey === "get") return getPasskey(options.request_options.publicKey);
  return createPasskey(options.creation_options.publicKey, form.elements.passwordless.checked);
}

function showError(form, text) {
  const alert = form.querySelector("[data-passkey-error]");
  alert.hidden = !text;
  alert.querySelector("[data-passkey-text]").textContent = text;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-passkey]")) return;
  event.preventDefault();
  if (!window.PublicKeyCredential) {
    showError(form, form.dataset.unsupported);
    return;
  }
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  showError(form, "");
  try {
    form.elements.credential.value = serialize(await requestCredential(form));
    form.submit();
  } catch (error) {
    const texts = { InvalidStateError: form.dataset.duplicate, SecurityError: form.dataset.unsupported };
    showError(form, texts[error.name] || form.dataset.failed);
    button.disabled = false;
  }
});
