# Puts Rightsize's functions, valves and presets into an Open WebUI, and stops.
FROM python:3.12-slim
WORKDIR /rightsize
COPY installer/requirements.txt installer/requirements.txt
RUN pip install --no-cache-dir -r installer/requirements.txt
COPY installer installer
COPY dist dist
COPY presets presets
USER nobody
ENTRYPOINT ["python", "-m", "installer", "install"]
