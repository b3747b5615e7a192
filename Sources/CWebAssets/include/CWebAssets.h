// The files that a browser loads.

#pragma once

/// One file.
typedef struct {
    /// The file's name, in UTF-8, ended by a NUL; NULL behind the last file.
    const char *name;
    /// Its bytes, ended by a NUL.
    const unsigned char *bytes;
} WebAsset;

/// All files: index.html, openapi.json, then the scripts and styles by name.
const WebAsset *web_assets(void);
