"""All routes of Ollama's API as one router."""

from fastapi import APIRouter

from api.ollama import chat, embed, generate, manage, models

router = APIRouter()
for family in (chat, generate, models, embed, manage):
    router.include_router(family.router)
