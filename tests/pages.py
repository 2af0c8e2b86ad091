"""What a page of HTML is made of."""

from html.parser import HTMLParser

NASTY = "<script>alert('x')</script>"
VOID = {"meta", "link", "br", "img", "use", "path", "image", "hr", "input"}


class Page(HTMLParser):
    """Elements, ids, addresses and rows of a page; fails where tags don't close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.addresses, self.text, self.rows = [], [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action", "srcset")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.rows and self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
