"""Every text of the listing by its id, in English and in Chinese: written, not translated word by word.

``{…}`` is filled in by the listing. A test holds that both languages have the same ids and the same gaps.
"""

from __future__ import annotations

from collections.abc import Mapping

Texts = Mapping[str, str]

LANGUAGES = ("en", "zh")
"""The first one is spoken to those who have asked for neither."""

TAGS = {"en": "en", "zh": "zh-Hans"}
"""What a page calls its language (BCP 47)."""

ENGLISH: Texts = {
    "top": "The top folder",
    "folder": "Folder {name}",
    "in_top": "the top folder",
    "in_folder": "folder {name}",
    "empty": "{folder} is empty.",
    "holds": "{folder}: {counts}.",
    "cut": "{folder} holds more than {limit} entries; counted are {counts}.",
    "and": ", ",
    "file": "1 file",
    "files": "{count} files",
    "subfolder": "1 folder",
    "subfolders": "{count} folders",
    "bytes": "{count} bytes",
    "byte": "1 byte",
    "start": "start",
    "path": "Path",
    "up": "Up to {name}",
    "back": "Back to {name}",
    "skip": "Skip to the list",
    "name": "Name",
    "size": "Size",
    "changed": "Changed",
    "zone": "(UTC)",
    "none": "–",
    "search": "Search",
    "search_here": "Search here and below",
    "filter": "Show only names with",
    "filter_page": "Names on this page with",
    "unmatched": "No name here has that in it.",
    "download": "Everything here as",
    "pages": "Pages",
    "page": "Page {page} of {pages}",
    "previous": "Previous",
    "next": "Next",
    "found": "{count} found for {words} in {folder}.",
    "found_one": "1 found for {words} in {folder}.",
    "found_none": "Nothing found for {words} in {folder}.",
    "found_cut": "{count} found for {words} in {folder}; the search ended early, there may be more.",
}

CHINESE: Texts = {
    "top": "顶层文件夹",
    "folder": "文件夹 {name}",
    "in_top": "顶层文件夹",
    "in_folder": "文件夹 {name}",
    "empty": "{folder}是空的。",
    "holds": "{folder}：{counts}。",
    "cut": "{folder}中超过 {limit} 项；已计入{counts}。",
    "and": "，",
    "file": "1 个文件",
    "files": "{count} 个文件",
    "subfolder": "1 个文件夹",
    "subfolders": "{count} 个文件夹",
    "bytes": "{count} 字节",
    "byte": "1 字节",
    "start": "首页",
    "path": "路径",
    "up": "上一级：{name}",
    "back": "返回 {name}",
    "skip": "跳到列表",
    "name": "名称",
    "size": "大小",
    "changed": "修改时间",
    "zone": "(UTC)",
    "none": "–",
    "search": "搜索",
    "search_here": "在此处及下级文件夹中搜索",
    "filter": "只显示名称包含",
    "filter_page": "本页名称包含",
    "unmatched": "这里没有名称包含这些字。",
    "download": "打包下载",
    "pages": "分页",
    "page": "第 {page} 页，共 {pages} 页",
    "previous": "上一页",
    "next": "下一页",
    "found": "在{folder}中找到 {count} 项与 {words} 相符。",
    "found_one": "在{folder}中找到 1 项与 {words} 相符。",
    "found_none": "在{folder}中没有找到与 {words} 相符的内容。",
    "found_cut": "在{folder}中找到 {count} 项与 {words} 相符；搜索提前结束，可能还有更多。",
}

TEXTS: Mapping[str, Texts] = {"en": ENGLISH, "zh": CHINESE}
