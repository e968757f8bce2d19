"""All routes of llama-server's as one router."""

from fastapi import APIRouter

from api.llama import props, tokens

router = APIRouter()
for family in (tokens, props):
    router.include_router(family.router)
