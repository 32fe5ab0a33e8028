// Passkeys: a form with `data-passkey` asks the browser for one when it is sent, and sends what the browser answers.
// "create" and "get" take their options from the script that `data-options` names, "login" asks the form's address for them.
const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const decoded = (descriptors) => (descriptors || []).map((one) => ({ ...one, id: decode(one.id) }));

async function create(key, alone) {
  const chosen = {
    ...key.authenticatorSelection,
    residentKey: alone ? "required" : "discouraged",
    requireResidentKey: alone,
    ...(alone && { userVerification: "required" }),
  };
  return navigator.credentials.create({
    publicKey: {
      ...key,
      challenge: decode(key.challenge),
      user: { ...key.user, id: decode(key.user.id) },
      excludeCredentials: decoded(key.excludeCredentials),
      authenticatorSelection: chosen,
    },
  });
}

async function get(key) {
  return navigator.credentials.get({
    publicKey: { ...key, challenge: decode(key.challenge), allowCredentials: decoded(key.allowCredentials) },
  });
}

function written(credential) {
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

async function ceremony(form) {
  if (form.dataset.passkey === "login") {
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return get((await answer.json()).request_options.publicKey);
  }
  const options = JSON.parse(document.getElementById(form.dataset.options).textContent);
  if (form.dataset.passkey === "get") return get(options.request_options.publicKey);
  return create(options.creation_options.publicKey, form.elements.passwordless.checked);
}

function say(form, text) {
  const place = form.querySelector("[data-passkey-error]");
  place.hidden = !text;
  place.querySelector("[data-passkey-text]").textContent = text;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-passkey]")) return;
  event.preventDefault();
  if (!window.PublicKeyCredential) {
    say(form, form.dataset.none);
    return;
  }
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  say(form, "");
  try {
    form.elements.credential.value = written(await ceremony(form));
    form.submit();
  } catch (error) {
    const texts = { InvalidStateError: form.dataset.known, SecurityError: form.dataset.none };
    say(form, texts[error.name] || form.dataset.failed);
    button.disabled = false;
  }
});
