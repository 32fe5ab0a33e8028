# syntax=docker/dockerfile:1

FROM node:22-slim AS assets
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements/base.txt requirements/
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .
COPY --from=assets /src/node_modules node_modules
COPY --from=assets /usr/local/bin/node /usr/local/bin/
# These secrets are only for collectstatic and are in no layer of the final image.
RUN python -m console.ui.assets && /venv/bin/python -m console.ui.translations \
    && SECRET_KEY=build FIELD_ENCRYPTION_KEYS="$(/venv/bin/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
       FLEETDESK_HOME=/tmp/home STATIC_ROOT=/src/collected /venv/bin/python manage.py collectstatic --noinput \
    && rm -rf node_modules tests

FROM python:3.12-slim
RUN useradd --system --create-home --uid 10001 fleetdesk && install -d -m 700 -o fleetdesk /data
COPY --from=build /venv /venv
COPY --from=build /src /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    FLEETDESK_HOME=/data STATIC_ROOT=/app/collected
USER fleetdesk
VOLUME /data
EXPOSE 8600
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8600/healthz', headers={'Host': 'localhost'}), timeout=4)"]
CMD ["gunicorn", "console.wsgi", "--bind", "0.0.0.0:8600", "--workers", "2", "--threads", "8", "--access-logfile", "-"]
