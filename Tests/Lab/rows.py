"""Reads a report's JSON lines on standard input and answers one question about them.

    rows.py sum connections verdict=deny host=www.example.com
        adds up a field over the rows that match
    rows.py grown BEFORE
        for each row that has more connections than in the file BEFORE: verdict and reason
"""

import json
import sys

# What a row is about; the rest of it is counted.
ABOUT = ("mac", "service", "rule", "host", "verdict", "reason")


def rows(stream):
    """The finest rows only: other kinds of lines would count the same thing twice."""
    for line in stream:
        row = json.loads(line)
        if row["type"] == "use":
            yield row


def main():
    question, *arguments = sys.argv[1:]
    if question == "sum":
        field, *conditions = arguments
        wanted = [condition.split("=", 1) for condition in conditions]
        print(
            sum(
                row[field]
                for row in rows(sys.stdin)
                if all(str(row.get(key)) == value for key, value in wanted)
            )
        )
    elif question == "grown":
        about = lambda row: tuple(row.get(key) for key in ABOUT)
        with open(arguments[0]) as before:
            counts = {about(row): row["connections"] for row in rows(before)}
        for row in rows(sys.stdin):
            if row["connections"] > counts.get(about(row), 0):
                print(row["verdict"], row["reason"])
    else:
        sys.exit(__doc__)


main()
