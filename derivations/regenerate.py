"""Write every derivation of this folder anew: one script a network, each with a `write(folder)`."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run every script beside this one."""
    for script in sorted(HERE.glob("*.py")):
        if script.name == Path(__file__).name:
            continue
        spec = importlib.util.spec_from_file_location(f"derivation_{script.stem}", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for path in module.write(HERE):
            print(f"wrote {path.relative_to(HERE)}", file=sys.stderr)


if __name__ == "__main__":
    main()
