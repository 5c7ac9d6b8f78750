# The image of web, the workers, beat and the preparation before them; docker-compose.yml says what each runs.
FROM python:3.12-slim

ENV LOTLINE_VENV=off \
    LOTLINE_STATE=/var/lib/lotline \
    LOTLINE_STATIC_ROOT=/srv/static \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /srv/lotline
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lotline \
    && install -d -o lotline -g lotline -m 0700 /var/lib/lotline /var/lib/lotline/files

COPY . ./
RUN python -m compileall -q . && python manage.py collectstatic --no-input

USER lotline
EXPOSE 8000
CMD ["python", "-m", "oms.webserver", "--host=0.0.0.0"]
