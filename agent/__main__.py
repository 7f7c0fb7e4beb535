"""`python -m agent` is `coloc-agent`: how the daemon starts its own program without looking for it on PATH."""

from agent.cli import main

if __name__ == "__main__":
    main()
