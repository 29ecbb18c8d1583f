"""What the organisation knows of the job's words: fields and programmes, asked before anything is sent."""

from connectors.bulk_api import BulkApi
from schemas.job import Job
from transforms.organization import PAGES, unknown


async def unknown_words(job: Job) -> list[str]:
    """Warnings about mapped fields and programmes that the organisation does not list, or could not be asked for."""
    async with BulkApi(job.destination, job.limits) as api:
        answers = {name: await api.look_up(path, query) for name, (path, query) in PAGES.items()}
    return list(unknown(job.map, answers))
